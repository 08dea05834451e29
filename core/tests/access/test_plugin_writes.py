"""What plugin code may write: what its user may, or what the plugin was granted."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.contrib.auth.models import Permission as DjangoPermission
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.db import IntegrityError, transaction

from core.tests.access.conftest import PLUGIN, World, as_plugin, authority, changed, with_authority
from pagoda.domain.authority import BeyondAuthority, refused, used
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Attribute, AttributeReference, AttributeValue, Entry
from pagoda.domain.user.models import ApiToken, GroupNesting, Level, Role, RolePermission, User
from pagoda.hooks.manager import manager
from pagoda.jobs.models import Job
from pagoda_plugin_sdk.exceptions import PluginSecurityError
from pagoda_plugin_sdk.operations import JobOperation


class TestWriting:
    def test_upstream_style_code_works_for_who_may(self, root: User) -> None:
        def work() -> tuple[Any, ...]:
            entity = Entity.objects.create(name="Switch", created_user=root)
            EntityAttr.objects.create(name="port", type=2, parent_entity=entity, created_user=root)
            entry = Entry.objects.create(name="sw1", schema=entity, created_user=root)
            entry.set_attrs(root, port="eth0")
            entry.note = "rack 7"
            entry.save()
            found = Entry.objects.filter(schema__name="Switch")
            return type(entity) is Entity, found.count(), found[0].get_attrs(), found[0].note

        assert as_plugin(work, user=root) == (True, 1, {"port": "eth0"}, "rack 7")

    @pytest.mark.parametrize(
        "write",
        [
            lambda w: Entity.objects.create(name="Mine"),
            lambda w: Entity.objects.create_entity(user=None, name="Mine"),
            lambda w: Entity.objects.create_entity(user=w.user, name="Mine"),
            lambda w: Entry.objects.create(name="mine", schema=w.network),
            lambda w: Entry.objects.create_entry(user=None, schema=w.network, name="mine"),
            lambda w: w.lan.set_attrs(None, cidr="0.0.0.0/0"),
            lambda w: w.web.set_attrs(w.user, uplink={"name": "eth1", "object": None}),
            lambda w: changed(w.lan, note="mine").save(),
            lambda w: w.lan.delete(),
            lambda w: w.lan.hard_delete(),
            lambda w: w.network.delete(),
            lambda w: w.network.update_attrs(w.user, [{"name": "mine", "type": "string"}]),
            lambda w: EntityAttr.objects.create(name="mine", type=2, parent_entity=w.network),
            lambda w: w.attr("uplink").hard_delete(),
            lambda w: Entry.objects.bulk_create([Entry(name="mine", schema=w.host)]),
            lambda w: Entry.objects.bulk_update([w.web], ["name"]),
            lambda w: Entry.objects.filter(pk=w.web.pk).update(name="mine"),
            lambda w: Entity.objects.update(owner=w.user),
            lambda w: EntityAttr.objects.all().update(default_permission=8),
            lambda w: Attribute.objects.update(name="mine"),
            lambda w: AttributeValue.objects.all()[0].save(),
            lambda w: AttributeValue.objects.create(
                parent_attr=Attribute.objects.all()[0], parent_entry=w.web, value="mine"
            ),
            lambda w: AttributeValue.objects.all()._raw_delete("default"),
            lambda w: AttributeReference.objects.create(value=AttributeValue.objects.all()[0], entry=w.web),
            lambda w: User.objects.create_user("mallory"),
            lambda w: User.objects.create_superuser("mallory"),
            lambda w: User.objects.filter(pk=w.user.pk).update(is_superuser=True),
            lambda w: User.objects.bulk_create([User(username="mallory", is_superuser=True)]),
            lambda w: changed(w.user, is_superuser=True).save(),
            lambda w: w.user.delete(),
            lambda w: w.role.groups.add(Group.objects.create(name="mine")),
            lambda w: Role.objects.create(name="mine"),
            lambda w: Role.objects.all().update(can_add_entities=True),
            lambda w: RolePermission.objects.create(role=w.role, entity=w.network, level=Level.FULL),
            lambda w: ApiToken.objects.create(user=w.user, name="mine", digest="x"),
            lambda w: Job.objects.create(user=w.user, plugin="other", operation=200),
            lambda w: Job.objects.all().update(status=2),
            lambda w: Job.objects.bulk_create([Job(operation=200)]),
        ],
        ids=range(38),
    )
    @pytest.mark.parametrize("who", ["user", "nobody"])
    def test_what_the_user_may_not_is_refused_and_nothing_is_stored(
        self, hidden: World, write: Callable[[World], Any], who: str
    ) -> None:
        def tables() -> list[Any]:
            models = (
                Entity,
                EntityAttr,
                Entry,
                Attribute,
                AttributeValue,
                User,
                Role,
                RolePermission,
                Job,
                Group,
            )
            return [list(model._base_manager.order_by("pk").values()) for model in models]

        before = tables()
        user = hidden.user if who == "user" else None
        with (
            pytest.raises((PermissionDenied, ObjectDoesNotExist, IndexError, ValidationError)),
            transaction.atomic(),
        ):
            as_plugin(write, hidden, user=user)
        assert tables() == before

    def test_it_acts_for_no_other_user(self, world: World, root: User) -> None:
        for write in (
            lambda: Entity.objects.create_entity(user=root, name="Mine"),
            lambda: world.web.set_attrs(root, address="192.0.2.2"),
            lambda: Job._create_new_job(root, JobOperation.RUN_DEFERRED_HOOK),
        ):
            with pytest.raises(BeyondAuthority, match="acts for 'alice' here"):
                as_plugin(write, user=world.user)

    def test_a_name_that_is_taken_by_what_is_hidden_stays_taken(self, hidden: World, root: User) -> None:
        Role.objects.filter(pk=hidden.role.pk).update(can_add_entities=True)
        user = hidden.user

        with pytest.raises((ValidationError, IntegrityError)):
            as_plugin(lambda: Entity.objects.create_entity(user=user, name="Network"), user=user)
        with pytest.raises(ValidationError):
            as_plugin(lambda: Entity(name="Network").full_clean(), user=user)

    def test_what_decides_sees_what_the_user_may_not(self, hidden: World) -> None:
        """Who manages groups alone gives nobody a role that they neither hold nor see."""
        group, role = Group.objects.create(name="staff"), Role.objects.create(name="hidden")
        role.groups.add(group)
        RolePermission.objects.create(role=role, entity=hidden.network, level=Level.FULL)
        hidden.user.user_permissions.add(*DjangoPermission.objects.filter(content_type__model="group"))
        manager = User.objects.get(pk=hidden.user.pk)
        assert as_plugin(Role.objects.filter(name="hidden").exists, user=manager) is False

        for take in (
            lambda: group.user_set.add(manager),
            lambda: manager.groups.add(group),
            lambda: manager.groups.set([group]),
            lambda: GroupNesting.objects.create(group=Group.objects.create(name="mine"), parent=group),
        ):
            with pytest.raises((PermissionDenied, ValidationError)), transaction.atomic():
                as_plugin(take, user=manager)
        assert not group.user_set.exists()


class TestAuthority:
    def test_it_reads_and_writes_what_was_granted(self, hidden: World) -> None:
        def work() -> tuple[list[str], dict[str, Any]]:
            entry = Entry.objects.create_entry(user=None, schema=hidden.network, name="wan")
            entry.set_attrs(None, cidr="198.51.100.0/24")
            return [each.name for each in Entry.objects.all()], entry.get_attrs()

        names, attrs = with_authority(work, "entry:write:Network", user=hidden.user)

        assert (names, attrs) == (["lan", "wan"], {"cidr": "198.51.100.0/24"})
        assert Entry.objects.get(name="wan").created_user is None  # the plugin made it, not alice

    @pytest.mark.parametrize(
        ("granted", "use", "needed"),
        [
            ([], lambda w: list(Entry.objects.all()), "entry:read"),
            ([], lambda w: Entity.objects.count(), "entry:read"),
            (["entity:write"], lambda w: list(Entry.objects.all()), "entry:read"),
            ([], lambda w: list(User.objects.all()), "user:read"),
            ([], lambda w: w.web.set_attrs(None, address="x"), "may not see what this would change"),
            (["entry:read"], lambda w: w.web.set_attrs(None, address="x"), "writable permission"),
            (["entry:write:Network"], lambda w: w.web.set_attrs(None, address="x"), "may not see"),
            (["entry:write:Network"], lambda w: w.web.delete(), "see what this would change|full permission"),
            (
                ["entry:write"],
                lambda w: w.host.update_attrs(None, [{"name": "n", "type": "string"}]),
                "entity:write:Host",
            ),
            (["entry:write"], lambda w: Entity.objects.create(name="Mine"), "entity:write"),
            (
                ["entry:write"],
                lambda w: EntityAttr.objects.create(name="n", type=2, parent_entity=w.host),
                "entity:write:Host",
            ),
            (
                ["entity:write:Mine"],
                lambda w: Entity.objects.create_entity(user=None, name="Other"),
                "entity:write:Other",
            ),
            (["entity:write"], lambda w: Entry.objects.create(name="n", schema=w.host), "entry|permission"),
            (["entry:write"], lambda w: changed(w.host, note="n").save(), "entity:write:Host"),
            (["user:read"], lambda w: User.objects.create_user("mallory"), "can't change users"),
            (["user:read"], lambda w: changed(w.user, is_superuser=True).save(), "can't change users"),
            (["entry:write"], lambda w: Entry.objects.update(name="n"), "update"),
        ],
        ids=range(17),
    )
    def test_beyond_it_everything_is_refused_told_and_undone(
        self, world: World, granted: list[str], use: Callable[[World], Any], needed: str
    ) -> None:
        told: list[tuple[str, str]] = []

        def note(plugin: str, what: str, **_: Any) -> None:
            told.append((plugin, what))

        refused.connect(note)
        try:
            with pytest.raises((PluginSecurityError, PermissionDenied), match=f"(?i){needed}"):
                with_authority(lambda: use(world), *granted, user=world.user)
        finally:
            refused.disconnect(note)
        assert not told or {plugin for plugin, _ in told} == {PLUGIN}
        assert Entity.objects.count() == 2
        assert Entry.objects.count() == 2
        assert User.objects.filter(is_superuser=True).count() == 0

    def test_each_use_is_told(self, world: World) -> None:
        told: list[str] = []

        def note(what: str, **_: Any) -> None:
            told.append(what)

        used.connect(note)
        try:
            with_authority(lambda: list(Entry.objects.all()), "entry:read", "user:read")
        finally:
            used.disconnect(note)
        assert set(told) == {"entry:read"}

    def test_it_ends_with_its_block_and_at_other_plugins_code(self, hidden: World) -> None:
        def count_of_another() -> int:
            return manager().budget.run_within(inf, "another", Entity.objects.count)

        def work() -> list[int]:
            with authority("entry:read"):
                inside = [Entity.objects.count(), count_of_another()]
            return [*inside, Entity.objects.count()]

        assert as_plugin(work, user=hidden.user) == [2, 1, 1]

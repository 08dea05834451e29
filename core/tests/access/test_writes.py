"""A write is decided for everything it touches or names, by every way that leads in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pagoda.domain.acting import acting_as
from pagoda.domain.entity import services as entities
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry import services
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level, Role, User

if TYPE_CHECKING:
    from core.tests.access.conftest import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def own(world: World) -> Entity:
    """An entity of the user, of which deleting an entry deletes what it points to."""
    world.user.user_permissions.add(Permission.objects.get(codename="add_entity"))
    attrs = [{"name": "parts", "type": "array_object", "is_delete_in_chain": True}]
    return entities.create_entity(world.user, name="Own", attrs=attrs)


class TestChains:
    def test_what_may_not_be_deleted_is_not_deleted_in_a_chain(self, world: World, own: Entity) -> None:
        world.close(world.network, level=Level.READABLE)
        root = services.create_entry(world.user, own, name="root", attrs={"parts": [world.lan.pk]})
        refusal = "Full permission on entry 'lan' of entity 'Network', which goes with it, is needed"
        Entry.objects.filter(pk=world.web.pk).update(is_active=False)  # nothing else keeps it
        with pytest.raises(PermissionDenied, match=refusal):
            services.delete_entry(root, world.user)
        assert Entry.objects.active().filter(pk__in=[root.pk, world.lan.pk]).count() == 2

    def test_what_is_hidden_stays_and_is_not_told(self, world: World, own: Entity) -> None:
        root = services.create_entry(world.user, own, name="root", attrs={"parts": [world.lan.pk]})
        Entry.objects.filter(pk=world.web.pk).update(is_active=False)
        world.close(world.network)
        assert [entry.name for entry in services.delete_entry(root, world.user)] == ["root"]
        assert Entry.objects.active().filter(pk=world.lan.pk).exists()

    def test_what_one_has_full_on_goes(self, world: World, own: Entity) -> None:
        root = services.create_entry(world.user, own, name="root", attrs={"parts": [world.lan.pk]})
        Entry.objects.filter(pk=world.web.pk).update(is_active=False)
        assert [entry.name for entry in services.delete_entry(root, world.user)] == ["root", "lan"]

    def test_what_a_hidden_attribute_leads_to_stays_and_is_not_told(self, world: World, own: Entity) -> None:
        root = services.create_entry(None, own, name="root", attrs={"parts": [world.lan.pk]})
        Entry.objects.filter(pk=world.web.pk).update(is_active=False)
        Entity.objects.update(owner=None)
        world.close(own, level=Level.FULL)
        world.close(own.attrs.get())
        for level in (Level.READABLE, Level.FULL):
            world.close(world.network, level=level)
            root.restore()
            assert [entry.name for entry in services.delete_entry(root, world.user)] == ["root"]

    @pytest.mark.parametrize("is_hidden", [False, True])
    def test_who_keeps_a_target_unseen_decides_no_refusal(
        self, world: World, own: Entity, is_hidden: bool
    ) -> None:
        root = services.create_entry(world.user, own, name="root", attrs={"parts": [world.lan.pk]})
        world.close(world.host, level=Level.NOTHING if is_hidden else Level.READABLE)  # web refers to lan
        if is_hidden:
            world.close(world.network, level=Level.READABLE)
            with pytest.raises(PermissionDenied, match="'lan'"):
                services.delete_entry(root, world.user)
            world.close(world.network, level=Level.FULL)
        assert [entry.name for entry in services.delete_entry(root, world.user)] == ["root"]
        assert Entry.objects.active().filter(pk=world.lan.pk).exists()

    def test_1_000_entries_are_decided_in_ten_queries(self, world: World, own: Entity) -> None:
        parts = services.create_entries(None, own, [{"name": str(number)} for number in range(1_000)])
        root = services.create_entry(world.user, own, name="root", attrs={"parts": parts})
        world.close(parts[500], level=Level.READABLE)
        Entity.objects.update(owner=None)
        world.close(own, level=Level.FULL)
        with CaptureQueriesContext(connection) as queries, pytest.raises(PermissionDenied, match="'500'"):
            services.delete_entry(root, world.user)
        assert len(queries) <= 10


class TestAttributesOneCannotSee:
    @pytest.mark.parametrize("change", [{"name": "q"}, {"default_permission": 8}, {"is_deleted": True}])
    def test_are_unknown_by_their_id(self, world: World, change: dict[str, object]) -> None:
        attr = world.attr("address")
        world.close(attr)
        with pytest.raises(ValidationError) as caught:
            entities.update_entity(world.host, world.user, attrs=[{"id": attr.pk, **change}])
        with pytest.raises(ValidationError) as unknown:
            entities.update_entity(world.host, world.user, attrs=[{"id": 99999, **change}])
        assert caught.value.messages == [unknown.value.messages[0].replace("99999", str(attr.pk))]
        assert "address" not in str(caught.value)
        attr.refresh_from_db()
        assert (attr.name, attr.default_permission, attr.is_active) == ("address", Level.NOTHING, True)

    @pytest.mark.parametrize("change", [{"name": "q"}, {"default_permission": 8}, {"is_deleted": True}])
    def test_need_full_where_they_are_seen(self, world: World, change: dict[str, object]) -> None:
        attr = world.attr("address")
        world.close(attr, level=Level.WRITABLE)
        with pytest.raises(PermissionDenied, match="Full permission on attribute 'address' of entity 'Host'"):
            entities.update_entity(world.host, world.user, attrs=[{"id": attr.pk, **change}])

    def test_that_are_mandatory_are_not_named(self, world: World) -> None:
        world.close(world.attr("address"))
        with pytest.raises(ValidationError) as caught:
            services.create_entry(world.user, world.host, name="new")
        assert caught.value.message_dict == {
            "attrs": ["An attribute that you may not see is mandatory; ask somebody who may write it."]
        }


class TestReferences:
    def test_a_hidden_target_is_as_one_that_never_was(self, world: World) -> None:
        world.close(world.network)
        hidden = services.create_entry(None, world.network, name="wan")
        for target in (hidden.pk, 99999):
            with pytest.raises(ValidationError) as caught:
                services.update_entry(world.web, world.user, attrs={"uplink": {"name": "", "object": target}})
            expected = f"there is no entry with the id {target}, or it is deleted; send an existing one"
            assert caught.value.messages == [f"Attribute 'uplink': {expected}"]

    def test_entities_that_are_hidden_are_not_named_as_allowed(self, world: World) -> None:
        world.close(world.network)
        with pytest.raises(ValidationError) as caught:
            services.update_entry(world.web, world.user, attrs={"networks": [world.web.pk]})
        assert caught.value.messages[0].endswith("it may point to entries of other entities")

    def test_a_referral_to_a_hidden_entity_is_unknown(self, world: World) -> None:
        world.close(world.network)
        spec = {"name": "to", "type": "object"}
        for target in ("Network", world.network.pk, "Networc"):
            with pytest.raises(ValidationError, match="which does not exist") as caught:
                entities.update_entity(world.host, world.user, attrs=[spec | {"referral": [target]}])
            assert "Did you mean 'Network'" not in str(caught.value)


WAYS: dict[str, Callable[[World], object]] = {
    "update": lambda world: services.update_entry(world.web, world.user, note="x"),
    "set_attrs": lambda world: world.web.set_attrs(world.user, address="192.0.2.9"),
    "create": lambda world: services.create_entry(
        world.user, world.host, name="new", attrs={"address": "192.0.2.9"}
    ),
    "create many": lambda world: services.create_entries(
        world.user, world.host, [{"name": "new", "attrs": {"address": "192.0.2.9"}}]
    ),
    "delete": lambda world: services.delete_entry(world.web, world.user),
    "restore": lambda world: services.restore_entry(world.web, world.user),
    "entity update": lambda world: entities.update_entity(world.host, world.user, note="x"),
    "entity delete": lambda world: entities.delete_entity(world.host, world.user),
    "entity restore": lambda world: entities.restore_entity(world.host, world.user),
    "entity create": lambda world: entities.create_entity(world.user, name="New"),
    "attribute removed": lambda world: entities.remove_attribute(world.attr("address"), world.user),
}
PLAIN_WAYS: dict[str, Callable[[World], object]] = {
    "save": lambda world: saved(world.web, note="x"),
    "open": lambda world: saved(world.web, default_permission=Level.FULL),
    "open the entity": lambda world: saved(world.host, default_permission=Level.FULL),
    "moved": lambda world: saved(world.lan, schema=world.host),
    "model create": lambda world: Entry.objects.create(schema=world.host, name="new"),
    "model create of an entity": lambda world: Entity.objects.create(name="New"),
    "model delete": lambda world: world.web.delete(),
    "queryset delete": lambda world: Entry.objects.filter(pk=world.web.pk).delete(),
    "hard delete": lambda world: world.web.hard_delete(),
    "switched off": lambda world: saved(world.web, is_active=False),
    "attribute deleted": lambda world: world.attr("address").delete(),
}


UNSEEN = {"set_attrs", "open", "open the entity", "attribute removed", "attribute deleted"} | {
    "restore",
    "entity restore",
}
"""Ways that change what `contents` does not hold: values, levels, attributes, or nothing."""


def saved(row: Entity | Entry, **changes: object) -> None:
    for name, value in changes.items():
        setattr(row, name, value)
    row.save()


@pytest.mark.parametrize("level", [Level.NOTHING, Level.READABLE])
@pytest.mark.parametrize("way", [*WAYS, *PLAIN_WAYS])
def test_no_way_leads_past_the_level(world: World, way: str, level: Level) -> None:
    before = contents()
    world.close(world.host, world.web, level=level)
    write = WAYS.get(way) or PLAIN_WAYS[way]
    with acting_as(world.user), pytest.raises((PermissionDenied, ValidationError)) as caught:
        write(world)
    assert isinstance(caught.value, PermissionDenied)
    if level == Level.NOTHING and "create" not in way:
        assert "'Host'" not in str(caught.value)
    assert contents() == before


@pytest.mark.parametrize("way", [*WAYS, *PLAIN_WAYS])
def test_the_host_itself_is_not_asked(world: World, way: str) -> None:
    """Where nobody acts, the same writes go through: a shell, a migration, the dispatcher."""
    before = contents()
    world.close(world.host)
    world.user = None  # type: ignore[assignment]
    if way == "entity delete":
        Entry.objects.filter(schema=world.host).update(is_active=False)
    write = WAYS.get(way) or PLAIN_WAYS[way]
    write(world)
    assert (contents() == before) is (way in UNSEEN)


def contents() -> list[object]:
    rows = [*Entity.objects.order_by("pk").values_list("name", "note", "is_active")]
    return [*rows, *Entry.objects.order_by("pk").values_list("schema", "name", "note", "is_active")]


class TestAddingEntities:
    def test_a_plain_user_may_not(self, world: World) -> None:
        world.user.username = "Alice"
        with pytest.raises(PermissionDenied, match="a right that user 'Alice' has not"):
            entities.create_entity(world.user, name="New")

    @pytest.mark.parametrize("by", ["role", "role of a group", "permission", "group", "superuser"])
    def test_who_may(self, world: World, by: str) -> None:
        user, group = world.user, Group.objects.create(name="makers")
        permission = Permission.objects.get(codename="add_entity")
        role = Role.objects.create(name="maker", can_add_entities=True)
        match by:
            case "role":
                role.users.add(user)
            case "role of a group":
                role.groups.add(group)
                user.groups.add(group)
            case "permission":
                user.user_permissions.add(permission)
            case "group":
                group.permissions.add(permission)
                user.groups.add(group)
            case "superuser":
                user.is_superuser = True
        assert entities.create_entity(user, name="New").owner == user
        if by == "role":
            Role.objects.update(is_active=False)
            with pytest.raises(PermissionDenied):
                entities.create_entity(user, name="Newer")

    def test_its_maker_has_full_and_others_the_default(self, world: World, own: Entity) -> None:
        other = User.objects.create_user("bob")
        entry = services.create_entry(world.user, own, name="first")
        assert own.may_permitted(world.user, Level.FULL)
        assert entry.may_permitted(world.user, Level.FULL)
        assert own.may_permitted(other, Level.READABLE)
        assert not own.may_permitted(other, Level.WRITABLE)
        with pytest.raises(PermissionDenied):
            entities.delete_entity(own, other)
        assert Entity.objects.create(name="By the host").owner is None

    @pytest.mark.parametrize("level", list(Level))
    def test_the_default_is_the_operators(
        self, world: World, own: Entity, settings: pytest.FixtureRequest, level: Level
    ) -> None:
        settings.PAGODA = settings.PAGODA.model_copy(update={"pagoda_default_level": level.label})  # type: ignore[attr-defined]
        entity = entities.create_entity(world.user, name="New")
        other = User.objects.create_user("bob")
        assert entity.default_permission == level
        assert entity.may_permitted(other, level)
        assert level == Level.FULL or not entity.may_permitted(other, 2 * level)

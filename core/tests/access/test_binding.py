"""What plugin code gets of the models: what its user may see and do, or what the plugin was granted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.contrib.auth.models import Permission as DjangoPermission
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist, PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import Exists, F, Max, Subquery
from django.test.utils import CaptureQueriesContext

from core.tests.access.conftest import World
from pagoda import running
from pagoda.domain.acting import acting_as, acting_by
from pagoda.domain.authority import BeyondAuthority, PluginAuthority, refused, used
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Attribute, AttributeReference, AttributeValue, Entry
from pagoda.domain.user.models import ApiToken, GroupNesting, Level, Role, RolePermission, User
from pagoda.hooks.runtime import manager
from pagoda.jobs.models import Job
from pagoda_plugin_sdk.exceptions import PluginSecurityError
from pagoda_plugin_sdk.operations import JobOperation
from pagoda_plugin_sdk.permissions import Permission

PLUGIN = "stock"


def changed(row: Any, **fields: Any) -> Any:
    for name, value in fields.items():
        setattr(row, name, value)
    return row


def as_plugin[T](function: Callable[..., T], *args: Any, user: User | None = None) -> T:
    """Call `function` as the fences call a view of a plugin."""
    with acting_as(user):
        return manager().budget.run_within(inf, PLUGIN, function, *args)


@contextmanager
def authority(*permissions: str) -> Iterator[None]:
    code = running.innermost()
    assert code is not None, "only plugin code has authority"
    with acting_by(PluginAuthority(PLUGIN, frozenset(map(Permission.parse, permissions))), code):
        yield


def with_authority[T](function: Callable[..., T], *permissions: str, user: User | None = None) -> T:
    def act() -> T:
        with authority(*permissions):
            return function()

    return as_plugin(act, user=user)


@pytest.fixture
def hidden(world: World) -> World:
    """The networks, their entry and an attribute of hosts are hidden from alice."""
    world.close(world.network, world.attr("uplink"))
    return world


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root", password="Se-cret-1")


class TestReading:
    def test_lists_hold_what_the_user_may_see(self, hidden: World) -> None:
        def names() -> list[list[str]]:
            return [
                [row.name for row in Entity.objects.all()],
                [row.name for row in Entry.objects.filter(schema__name__in=["Network", "Host"])],
                [row.name for row in EntityAttr.objects.order_by("id")],
                [row.name for row in hidden.host.attrs.all()],
                sorted(row.name for row in Attribute.objects.all()),
                [row.name for row in hidden.network.entries.all()],
                sorted({row.parent_attr.name for row in AttributeValue.objects.all()}),
            ]

        seen = ["address", "networks"]
        assert as_plugin(names, user=hidden.user) == [["Host"], ["web"], seen, seen, seen, [], seen]
        assert as_plugin(names) == [[]] * 7  # nobody acts: nothing, as for who is not logged in
        assert [entity.name for entity in Entity.objects.all()] == ["Host", "Network"]  # the host itself

    def test_they_cost_as_many_queries_as_the_hosts(self, hidden: World) -> None:
        def listed() -> list[Any]:
            rows = Entry.objects.filter(schema__name="Host").select_related("schema")
            return [Entry.objects.read_attrs(rows), list(hidden.host.attrs.all()), Entity.objects.count()]

        with CaptureQueriesContext(
            connection,
        ) as by_host:
            listed()
        with CaptureQueriesContext(connection) as by_plugin:
            as_plugin(listed, user=hidden.user)
        assert len(by_plugin) == len(by_host)

    def test_values_are_those_that_the_user_may_see(self, hidden: World) -> None:
        attrs = as_plugin(hidden.web.get_attrs, user=hidden.user)

        assert attrs == {"address": "192.0.2.1", "networks": []}
        with pytest.raises(KeyError):
            as_plugin(lambda: hidden.web.get_attrs(names=["uplink"]), user=hidden.user)
        assert hidden.web.get_attrs()["uplink"]["name"] == "eth0"

    def test_a_queryset_made_at_import_is_bound_when_it_is_used(self, hidden: World, root: User) -> None:
        at_import, evaluated = Entry.objects.filter(is_active=True), Entity.objects.all()

        assert as_plugin(lambda: [row.name for row in at_import.all()], user=hidden.user) == ["web"]
        assert as_plugin(lambda: [row.name for row in at_import], user=hidden.user) == ["web"]
        assert as_plugin(evaluated.count, user=hidden.user) == 1
        assert as_plugin(Entity.objects.all().exists) is False
        # Of one that was made for somebody else both rights hold
        mine = as_plugin(Entity.objects.all, user=root)
        assert as_plugin(lambda: [row.name for row in mine.all()], user=hidden.user) == ["Host"]

    @pytest.mark.parametrize(
        "rows",
        [
            lambda: Entity.objects.values_list("name", flat=True),
            lambda: Entity.objects.all()[:10].values_list("name", flat=True),
            lambda: [row.name for row in Entity.objects.iterator()],
            lambda: [row.name for row in Entity.objects.in_bulk().values()],
            lambda: [row["name"] for row in Entity.objects.values("name").distinct()],
            lambda: [
                row.name
                for row in Entity.objects.filter(name="Host").order_by().union(Entity.objects.order_by())
            ],
            lambda: [row.name for row in Entity.objects.exclude(name="x").reverse()],
            lambda: Entity.objects.filter(pk__in=Entity.objects.all()).values_list("name", flat=True),
            lambda: [row.name for row in Entity.objects.order_by() | Entity.objects.order_by()],
            lambda: [Entry.objects.filter(schema__in=Entity.objects.all()).get().schema.name],
            lambda: [EntityAttr.objects.select_related("parent_entity")[0].parent_entity.name],
            lambda: [Entity.objects.prefetch_related("attrs").first().name],  # type: ignore[union-attr]
        ],
        ids=range(12),
    )
    def test_every_form_of_a_query_is_bound(self, hidden: World, rows: Callable[[], Any]) -> None:
        assert list(as_plugin(lambda: list(rows()), user=hidden.user)) == ["Host"]

    def test_one_made_at_import_is_bound_inside_of_another_query(self, hidden: World, root: User) -> None:
        networks = Entity.objects.filter(name="Network")
        ids, union = networks.values("pk"), networks.order_by().union(Entity.objects.order_by())

        def found() -> list[Any]:
            return [
                Entity.objects.filter(Exists(networks)).count(),
                Entity.objects.filter(pk__in=ids).count(),
                Entry.objects.filter(schema__in=networks).count(),
                list(Entity.objects.annotate(seen=Exists(networks)).values_list("seen", flat=True)),
                list(Entity.objects.annotate(seen=Subquery(ids[:1])).values_list("seen", flat=True)),
            ]

        assert as_plugin(found, user=hidden.user) == [0, 0, 0, [False], [None]]
        with pytest.raises(BeyondAuthority, match="a part or union that was made for somebody else"):
            as_plugin(list, union, user=hidden.user)
        with pytest.raises(BeyondAuthority, match="a part or union that was made for somebody else"):
            as_plugin(list, networks[:5], user=hidden.user)
        assert as_plugin(found, user=root)[:3] == [2, 1, 1]  # of root's own, though alice's came first

    def test_rows_that_were_read_for_one_are_not_shown_to_another(self, hidden: World, root: User) -> None:
        shared = Entity.objects.order_by("name")

        def read() -> tuple[list[str], int, bool]:
            return [row.name for row in shared], len(shared), shared.filter(name="Network").exists()

        assert as_plugin(read, user=root) == (["Host", "Network"], 2, True)
        assert as_plugin(read, user=hidden.user) == (["Host"], 1, False)
        assert as_plugin(read) == ([], 0, False)
        assert as_plugin(read, user=root) == (["Host", "Network"], 2, True)

    def test_what_a_reference_points_to_is_bound(self, hidden: World) -> None:
        link = AttributeReference.objects.filter(entry=hidden.lan)[0]

        def follow() -> str:
            assert link.entry is not None
            return link.entry.name

        with pytest.raises(Entry.DoesNotExist):
            as_plugin(follow, user=hidden.user)
        assert as_plugin(AttributeReference.objects.count, user=hidden.user) == 0

    def test_users_are_themselves_without_hashes(self, world: World, root: User) -> None:
        def look() -> tuple[list[str], set[str], bool]:
            users = list(User.objects.order_by("username"))
            return (
                [user.username for user in users],
                users[0].get_deferred_fields(),
                ApiToken.objects.exists(),
            )

        ApiToken.issue(root, "backup", None)
        assert as_plugin(look, user=world.user) == (["alice"], {"password", "session_salt"}, False)
        names, deferred, has_tokens = as_plugin(look, user=root)
        assert (names, deferred, has_tokens) == (["alice", "root"], {"password", "session_salt"}, True)
        assert as_plugin(Role.objects.count) == 0

    def test_references_to_hidden_users_lead_nowhere(self, world: World, root: User) -> None:
        world.web.created_user = root
        world.web.save()
        entry = Entry.objects.get(pk=world.web.pk)

        with pytest.raises(User.DoesNotExist):
            as_plugin(lambda: entry.created_user, user=world.user)


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


class TestHostCode:
    def test_the_host_sees_everything_where_a_plugin_called_it(self, hidden: World) -> None:
        @running.as_host()
        def host() -> int:
            return Entity.objects.count()

        assert as_plugin(host, user=hidden.user) == 2

    def test_a_plugin_that_the_host_calls_there_is_bound_again(self, hidden: World) -> None:
        @running.as_host()
        def host() -> int:
            return manager().budget.run_within(inf, PLUGIN, Entity.objects.count)

        assert as_plugin(host, user=hidden.user) == 1

    def test_what_is_left_behind_is_nothing(self, hidden: World) -> None:
        def fail() -> None:
            with running.as_host():
                raise FieldDoesNotExist("x")

        with pytest.raises(FieldDoesNotExist):
            as_plugin(fail, user=hidden.user)
        assert running.innermost() is None
        assert running.asking() is None
        assert Entity.objects.count() == 2


class TestHidden:
    """What the SDK's models are asked for in ways around the rights."""

    def test_no_user_is_made_a_superuser_by_a_row_that_was_read(self, world: World) -> None:
        def escalate() -> None:
            changed(User.objects.get(pk=world.user.pk), is_superuser=True).save()

        with pytest.raises(PermissionDenied):
            as_plugin(escalate, user=world.user)
        assert not User.objects.filter(is_superuser=True).exists()

    @pytest.mark.parametrize(
        "look",
        [
            lambda w: User.objects.get(pk=w.user.pk).password,
            lambda w: [user.password for user in User.objects.only("password")],
            lambda w: [user.password for user in User.objects.only("username").defer("username")],
            lambda w: [user.password for user in User.objects.defer(None)],
            lambda w: list(User.objects.values_list("password")),
            lambda w: list(User.objects.annotate(it=F("password")).values("it")),
            lambda w: list(User.objects.filter(password__startswith="!")),
            lambda w: list(User.objects.order_by("password")),
            lambda w: User.objects.aggregate(it=Max("session_salt")),
            lambda w: list(Entry.objects.values("created_user__password")),
            lambda w: User.objects.get(pk=w.user.pk).refresh_from_db(fields=["password"]),
            lambda w: list(User.objects.values_list("api_tokens__digest")),
            lambda w: list(Entry.objects.raw("SELECT * FROM entry_entry")),
            lambda w: list(Entry.objects.extra(where=["1 = 1"])),
        ],
        ids=range(14),
    )
    @pytest.mark.parametrize("who", ["user", "root"])
    def test_hashes_and_sql_are_for_nobody(
        self, world: World, root: User, look: Callable[[World], Any], who: str
    ) -> None:
        with pytest.raises(BeyondAuthority):
            as_plugin(look, world, user=root if who == "root" else world.user)

    def test_others_are_not_seen_through_rows(self, hidden: World, root: User) -> None:
        Entry.objects.filter(pk=hidden.web.pk).update(created_user=root)

        def through_rows() -> list[str]:
            return list(Entry.objects.filter(name="web").values_list("created_user__username", flat=True))

        def along() -> str:
            maker = Entry.objects.select_related("schema", "created_user").get(name="web").created_user
            return "" if maker is None else maker.username

        with pytest.raises(BeyondAuthority, match="look at"):
            as_plugin(through_rows, user=hidden.user)
        with pytest.raises(User.DoesNotExist):
            as_plugin(along, user=hidden.user)
        assert (as_plugin(through_rows, user=root), as_plugin(along, user=root)) == (["root"], "root")
        mine = as_plugin(lambda: list(Entry.objects.filter(created_user=root.pk)), user=hidden.user)
        assert [entry.name for entry in mine] == ["web"]

    def test_what_a_plugin_writes_into_a_row_decides_nothing(self, hidden: World) -> None:
        def forged() -> Entity:
            return Entity(pk=hidden.network.pk, name="Network", default_permission=Level.FULL)

        for write in (
            lambda: Entry.objects.create(name="mine", schema=forged()),
            lambda: EntityAttr.objects.create(name="mine", type=2, parent_entity=forged()),
            lambda: forged().refresh_from_db(),
        ):
            with pytest.raises((PermissionDenied, ObjectDoesNotExist)):
                as_plugin(write, user=hidden.user)

    def test_the_job_of_another_is_not_loaded_into_a_row(self, world: World, root: User) -> None:
        job = Job.objects.create(
            user=root, plugin="other", operation=200, soft_limit_seconds=1, hard_limit_seconds=2
        )
        with pytest.raises(Job.DoesNotExist):
            as_plugin(lambda: Job(pk=job.pk).refresh_from_db(), user=world.user)

    def test_a_superuser_s_change_is_stored(self, world: World, root: User) -> None:
        as_plugin(lambda: changed(User.objects.get(pk=world.user.pk), first_name="Al").save(), user=root)
        assert User.objects.get(pk=world.user.pk).first_name == "Al"

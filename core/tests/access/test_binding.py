"""What plugin code sees of the models: what its user may see, and no hashes."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import pytest
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist, PermissionDenied
from django.db import connection
from django.db.models import Exists, F, Max, Subquery
from django.test.utils import CaptureQueriesContext

from core.tests.access.conftest import PLUGIN, World, as_plugin, changed
from pagoda import running
from pagoda.domain.authority import BeyondAuthority
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Attribute, AttributeReference, AttributeValue, Entry
from pagoda.domain.user.models import ApiToken, Level, Role, User
from pagoda.hooks.manager import manager
from pagoda.jobs.models import Job


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

        listed()  # attributes of entities are kept from the first time on
        with CaptureQueriesContext(connection) as by_host:
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

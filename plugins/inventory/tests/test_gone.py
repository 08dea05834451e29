"""Hosts that nobody scans any more: noted, marked with what was on them, listed and removed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pagoda_inventory import gone
from pagoda_inventory.gone import HOSTS_PER_SCAN
from pagoda_inventory.schema import FILESYSTEM, HOST, INTERFACE, PACKAGE
from pagoda_inventory.settings import InventorySettings
from pagoda_inventory.tasks import take_stock
from pagoda_plugin_sdk import PermissionLevel
from pagoda_plugin_sdk.models import Entity, EntityAttr, Entry
from pagoda_plugin_sdk.testing import FakeJob, MemoryHost

API = "/api/v2/plugins/inventory/hosts/"
WEEK = timedelta(days=7)


def scanned(make: Any, *hostnames: str, gone_after: timedelta | None = WEEK, user: Any = None) -> Any:
    for hostname in hostnames:
        machine = make.machine(make.package("app"), host=make.host(hostname=hostname))
        result = take_stock(FakeJob(user=user), machine, gone_after)
    return result


def entry(entity_name: str, name: str) -> Any:
    return Entry.objects.get(schema__name=entity_name, name=name, is_active=True)


def unseen_for(hostname: str, time: timedelta) -> None:
    entry(HOST, hostname).set_attrs(None, last_seen=datetime.now(UTC) - time)


def limit(thing: Any, level: PermissionLevel) -> None:
    thing.default_permission = level
    thing.save()


def is_present(entity_name: str, name: str) -> Any:
    return entry(entity_name, name).get_attrs()["present"]


def test_scan_notes_when_it_saw_its_host_and_calls_it_no_news(host: MemoryHost, make: Any) -> None:
    scanned(make, "web-1")
    unseen_for("web-1", timedelta(hours=1))
    changes = len(host.changes)

    result = scanned(make, "web-1")

    assert host.changes[changes:] == [("update", HOST, "web-1")]
    assert (result["updated"], result["unchanged"][HOST], result["gone_hosts"]) == ({}, 1, [])
    assert datetime.now(UTC) - entry(HOST, "web-1").get_attrs()["last_seen"] < timedelta(minutes=1)


def test_host_that_was_not_seen_is_marked_with_what_was_on_it(host: MemoryHost, make: Any) -> None:
    scanned(make, "web-1", "web-10", "web-2")
    unseen_for("web-1", WEEK + timedelta(minutes=5))
    unseen_for("web-10", WEEK - timedelta(minutes=5))

    result = scanned(make, "web-2")

    assert result["gone_hosts"] == ["web-1"]
    of_host = ((HOST, ""), (INTERFACE, "/eth0"), (FILESYSTEM, "/"), (PACKAGE, "/app@/srv/app"))
    assert [is_present(entity, f"web-1{rest}") for entity, rest in of_host] == [False] * 4
    assert [is_present(entity, f"web-10{rest}") for entity, rest in of_host] == [True] * 4
    changes = list(host.changes)
    assert scanned(make, "web-2")["gone_hosts"] == []
    assert host.changes == changes


def test_host_that_is_back_is_present_again(host: MemoryHost, make: Any) -> None:
    scanned(make, "web-1", "web-2")
    unseen_for("web-1", 2 * WEEK)
    scanned(make, "web-2")

    assert scanned(make, "web-1")["gone_hosts"] == []
    assert is_present(HOST, "web-1") is is_present(PACKAGE, "web-1/app@/srv/app") is True


def test_no_host_is_gone_where_the_setting_says_never(host: MemoryHost, make: Any) -> None:
    scanned(make, "web-1", "web-2")
    unseen_for("web-1", 100 * WEEK)

    result = scanned(make, "web-2", gone_after=InventorySettings(gone_after_hours=None).gone_after)

    assert result["gone_hosts"] == []
    assert InventorySettings().gone_after == WEEK


def test_one_scan_marks_so_many_and_the_next_goes_on(
    host: MemoryHost, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gone, "HOSTS_PER_SCAN", 4)
    names = [f"web-{number}" for number in range(5)]
    scanned(make, *names, "me")
    for name in names:
        unseen_for(name, 2 * WEEK)

    assert [scanned(make, "me")["gone_hosts"] for _ in range(3)] == [names[:-1], names[-1:], []]


def test_hosts_are_read_page_by_page_and_no_further_than_needed(
    host: MemoryHost, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"web-{number}" for number in range(7)]
    scanned(make, *names)
    monkeypatch.setattr(gone, "HOSTS_PER_PAGE", 3)
    pages: list[list[str]] = []
    read = Entry.objects.read_attrs

    def noting(_: Any, page: list[Any]) -> Any:
        if all(each.schema.name == HOST for each in page):
            pages.append([each.name for each in page])
        return read(page)

    monkeypatch.setattr(type(Entry.objects), "read_attrs", noting)

    def look(*unseen: str, most: int = HOSTS_PER_SCAN) -> list[str]:
        monkeypatch.setattr(gone, "HOSTS_PER_SCAN", most)
        for name in unseen:
            unseen_for(name, 2 * WEEK)
        pages.clear()
        entities = {each.name: each for each in Entity.objects.all()}
        return gone.mark_gone_hosts(FakeJob(), entities, WEEK)

    assert look() == []
    assert pages == [names[:3], names[3:6], names[6:]]
    assert look("web-6", "web-2") == ["web-2", "web-6"]
    assert look("web-0", "web-5", most=1) == ["web-0"]
    assert [page for page in pages if len(page) > 1] == [names[:3], names[3:6]]  # where the next one is


def test_host_of_an_earlier_release_counts_from_its_last_change(host: MemoryHost, make: Any) -> None:
    scanned(make, "web-1", "web-2")
    for name in ("web-1", "web-2"):
        entry(HOST, name).set_attrs(None, last_seen=None)
    entry(HOST, "web-1").updated_time = datetime.now(UTC) - 2 * WEEK

    assert scanned(make, "me")["gone_hosts"] == ["web-1"]


def test_hosts_are_listed_with_when_they_were_seen(host: MemoryHost, make: Any, api_client: Any) -> None:
    scanned(make, "web-1", "web-2")
    unseen_for("web-1", 2 * WEEK)
    scanned(make, "web-2")
    before = host.reads

    page = api_client("ann").get(API, {"limit": 1}).json()

    assert host.reads - before == 4  # entities, number, page, values
    assert (page["count"], page["next"] is None) == (2, False)
    (first,) = page["results"]
    assert (first["id"], first["host"], first["is_gone"]) == (entry(HOST, "web-1").id, "web-1", True)
    assert datetime.now(UTC) - datetime.fromisoformat(first["last_seen"]) > 2 * WEEK
    assert [row["is_gone"] for row in api_client("ann").get(API).json()["results"]] == [True, False]
    host.entity(HOST).level = PermissionLevel.NOTHING
    assert api_client("ann").get(API).json()["results"] == []
    assert api_client(None).get(API).status_code == 401


class TestRealHost:
    """On the real host: rights, values and what is removed along."""

    def test_deleting_a_host_takes_along_what_was_on_it(
        self, pagoda_host: Any, api_client: Any, make: Any
    ) -> None:
        scanned(make, "web-1", "web-2")
        unseen_for("web-1", 2 * WEEK)
        assert scanned(make, "web-2")["gone_hosts"] == ["web-1"]
        boss, reader = api_client("boss", PermissionLevel.FULL), api_client("ann", PermissionLevel.READABLE)
        row = boss.get(API).json()["results"][0]
        assert (row["host"], row["is_gone"]) == ("web-1", True)
        address = f"/api/v2/entries/{row['id']}/"

        assert reader.delete(address).status_code == 403
        assert Entry.objects.filter(is_active=True).count() == 10
        assert boss.delete(address).status_code == 204

        left = {one.name.partition("/")[0] for one in Entry.objects.filter(is_active=True)}
        assert left == {"web-2"}
        assert [row["host"] for row in boss.get(API).json()["results"]] == ["web-2"]

    @pytest.mark.parametrize("level", [PermissionLevel.NOTHING, PermissionLevel.READABLE])
    def test_hosts_are_shown_to_who_may_read_them(
        self, level: Any, pagoda_host: Any, api_client: Any, make: Any
    ) -> None:
        scanned(make, "web-1", "web-2")
        limit(entry(HOST, "web-1"), level)
        shown = [["web-2"], ["web-1", "web-2"]][level == PermissionLevel.READABLE]

        page = api_client("ann", PermissionLevel.READABLE, *Entity.objects.all()).get(API).json()

        assert [row["host"] for row in page["results"]] == shown

    def test_who_may_not_write_a_host_scans_all_the_same(self, pagoda_host: Any, make: Any) -> None:
        scanned(make, "web-1", "web-2")
        unseen_for("web-1", 2 * WEEK)
        ann = pagoda_host.user("ann")
        pagoda_host.allow(ann, PermissionLevel.WRITABLE, *Entity.objects.all())
        limit(entry(INTERFACE, "web-1/eth0"), PermissionLevel.READABLE)
        job = FakeJob(user=ann)

        result = take_stock(job, make.machine(host=make.host(hostname="web-2")), WEEK)

        assert (result["host"], result["gone_hosts"]) == ("web-2", [])
        assert "Host 'web-1' is gone, but can't be marked" in job.log.messages("warning")[0]
        assert is_present(HOST, "web-1") is True

    def test_first_scan_after_an_upgrade_completes_the_entities_once(
        self, pagoda_host: Any, make: Any
    ) -> None:
        scanned(make, "web-1")
        on_delete = {"on_delete": "null"}
        for name in (INTERFACE, FILESYSTEM, PACKAGE):  # as earlier releases left them
            attr = EntityAttr.objects.get(parent_entity__name=name, name="host")
            attr.parent_entity.update_attrs(None, [{"id": attr.id, **on_delete}])
        seen = EntityAttr.objects.get(parent_entity__name=HOST, name="last_seen")
        seen.parent_entity.update_attrs(None, [{"id": seen.id, "is_deleted": True}])

        scanned(make, "web-1")

        rules = EntityAttr.objects.filter(name="host", is_active=True)
        assert [attr.on_delete for attr in rules] == ["chain"] * 3
        assert is_present(HOST, "web-1") is True
        attr = rules[0]
        attr.parent_entity.update_attrs(None, [{"id": attr.id, **on_delete}])
        scanned(make, "web-1")
        attr.refresh_from_db()
        assert attr.on_delete == "null"  # somebody's decision

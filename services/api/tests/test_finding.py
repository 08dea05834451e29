"""Filters, orders and pages of the list of entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pagoda.domain.entity.models import EntityAttr
from pagoda.domain.search.finding import Query, find
from pagoda.domain.user.models import Level
from pagoda_api.resources import entries
from tools.kept_rows import made_once

pytestmark = pytest.mark.django_db

URL = "/api/v2/entries/"


@pytest.fixture
def hosts(make_entity: Callable[..., Any], make_entry: Callable[..., Any]) -> dict[str, Any]:
    return made_once(make_hosts, make_entity, make_entry)


def make_hosts(make_entity: Callable[..., Any], make_entry: Callable[..., Any]) -> dict[str, Any]:
    """Three hosts of which each runs services, in racks."""
    rack = make_entity("Rack", room="string")
    host = make_entity(
        "Host",
        os="string",
        ram="number",
        is_up="boolean",
        bought="date",
        seen="datetime",
        tags="array_string",
        sizes="array_number",
        rack="object",
        uplink="named_object",
    )
    service = make_entity("Service", host="object", port="number")
    racks = [make_entry(rack, name, room=room) for name, room in (("r1", "north"), ("r2", "south"))]
    web = make_entry(
        host,
        "web",
        os="Linux",
        ram=64,
        is_up=True,
        bought="2024-01-31",
        seen="2026-03-31T09:30:00+02:00",
        tags=["prod", "dmz"],
        sizes=[1, 10],
        rack=racks[0],
    )
    db = make_entry(
        host,
        "db",
        os="Linux 6.1",
        ram=512.5,
        is_up=False,
        bought="2025-06-01",
        seen="2026-03-31T07:30:00.5Z",
        tags=["prod"],
        sizes=[100],
        rack=racks[1],
        uplink={"name": "eth0", "object": web},
    )
    old = make_entry(host, "old")
    services = {
        name: make_entry(service, name, host=on, port=port)
        for name, on, port in (("http", web, 80), ("sql", db, 5432), ("lost", None, None))
    }
    return {"r1": racks[0], "r2": racks[1], "web": web, "db": db, "old": old} | services


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.json()
    return [entry["name"] for entry in response.json()["results"]]


def test_references_are_found_by_id(api: Any, hosts: dict[str, Any]) -> None:
    assert names(api.get(URL, {"attr.rack": hosts["r2"].pk})) == ["db"]
    assert names(api.get(URL, {"attr.host.id": hosts["web"].pk})) == ["http"]


def test_references_to_what_is_deleted_are_none(api: Any, hosts: dict[str, Any]) -> None:
    assert api.delete(f"{URL}{hosts['r1'].pk}/").status_code == 204
    assert names(api.get(URL, {"attr.rack": "r1"})) == []
    assert names(api.get(URL, {"attr.rack__empty": "true"})) == ["web", "old"]
    assert names(api.get(URL, {"attr.host.attr.rack.attr.room": "north"})) == []


@pytest.mark.parametrize(
    ("ordering", "found"),
    [
        ("name", ["db", "old", "web"]),
        ("-name", ["web", "old", "db"]),
        ("attr.ram", ["web", "db", "old"]),
        ("-attr.ram", ["old", "db", "web"]),
        ("attr.seen", ["web", "db", "old"]),
        ("attr.is_up,name", ["db", "web", "old"]),
        ("-created_time", ["old", "db", "web"]),
        ("created_user,-id", ["old", "db", "web"]),
        ("", ["web", "db", "old"]),
    ],
)
def test_orders_hold_over_pages_of_cursors_in_both_directions(
    api: Any, hosts: dict[str, Any], ordering: str, found: list[str]
) -> None:
    given = {"entity": "Host", "ordering": ordering}
    assert names(api.get(URL, given)) == found
    pages, url = [], f"{URL}?entity=Host&ordering={ordering}&limit=1&cursor="
    while url:
        response = api.get(url)
        pages.append((names(response), response.json()))
        url = response.json()["next"]
    assert [page for page, _ in pages] == [[name] for name in found]
    assert [body["count"] for _, body in pages] == [3] * 3
    assert pages[0][1]["previous"] is None
    assert names(api.get(pages[2][1]["previous"])) == [found[1]]
    back = api.get(api.get(pages[2][1]["previous"]).json()["previous"])
    assert (names(back), back.json()["previous"]) == ([found[0]], None)
    assert names(api.get(back.json()["next"])) == [found[1]]


def test_cursors_are_not_shifted_by_writes(api: Any, hosts: dict[str, Any], make_entry: Any) -> None:
    first = api.get(f"{URL}?entity=Host&ordering=name&limit=2&cursor=")
    assert names(first) == ["db", "old"]
    make_entry(hosts["web"].schema, "a")
    api.delete(f"{URL}{hosts['old'].pk}/")
    assert names(api.get(first.json()["next"])) == ["web"]


def test_fields_are_those_that_are_asked_for(api: Any, hosts: dict[str, Any]) -> None:
    (row,) = api.get(f"{URL}?attr.os=Linux&fields=name,attr.ram,attr.os").json()["results"]
    assert set(row) == {"name", "attrs"}
    assert {attr["name"]: attr["value"] for attr in row["attrs"]} == {"os": "Linux", "ram": 64}
    assert api.get(f"{URL}?name=web&fields=id").json()["results"] == [{"id": hosts["web"].pk}]


@pytest.mark.parametrize(
    ("given", "key", "words"),
    [
        ("nam=web", "nam", "There is no query parameter 'nam'. Did you mean 'name'"),
        ("name__is=web", "name__is", "There is no operator 'is'."),
        ("attr.oss=x", "attr.oss", "There is no attribute 'oss'. Did you mean 'os'?"),
        ("attr.os__gtt=x", "attr.os__gtt", "There is no attribute 'os__gtt'."),
        ("attr.room=x&entity=Host", "attr.room", "There is no attribute 'room'."),
        ("attr.ram=many", "attr.ram", "expected a number such as 3 or 3.5, got 'many'"),
        ("attr.ram=1e999", "attr.ram", "expected a number"),
        ("attr.ram__contains=1", "attr.ram__contains", "a number has no contains; it has eq, ne, in"),
        ("attr.is_up=yes", "attr.is_up", "expected true or false"),
        ("attr.bought__gt=31.1.2024", "attr.bought__gt", "expected a date in ISO 8601"),
        ("attr.seen=2026-03-31T07:30:00", "attr.seen", "has no offset from UTC"),
        ("attr.os__regex=(", "attr.os__regex", "is no regular expression"),
        ("attr.os__regex=(a)%5C1", "attr.os__regex", "is no regular expression"),
        ("attr.rack__gt=r", "attr.rack__gt", "has the operators eq, ne, in"),
        ("attr.os.attr.x=1", "attr.os.attr.x", "Attribute 'os' points to no entry"),
        ("attr.host.attr.uplink.attr.rack.attr.room=x", "attr.host.attr.uplink.attr.rack.attr.room", "2 ref"),
        ("attr.os=%00", "attr.os", "NUL"),
        ("name=%00", "name", "NUL"),
        ("id__gt=x", "id__gt", "expected a number"),
        ("ordering=ram", "ordering", "There is no field 'ram'"),
        ("ordering=attr.rm", "ordering", "There is no attribute 'rm'. Did you mean 'ram'"),
        ("ordering=attr.tags", "ordering", "is a list or a reference"),
        ("ordering=attr.rack", "ordering", "is a list or a reference"),
        ("fields=nme", "fields", "There is no field 'nme'. Did you mean 'name'"),
        ("cursor=x", "cursor", "'x' is no cursor. Follow the links of the pages."),
        ("cursor=%00", "cursor", "is no cursor"),
        ("limit=0", "limit", "whole number"),
    ],
)
def test_what_is_wrong_is_named_with_the_remedy(
    api: Any, hosts: dict[str, Any], given: str, key: str, words: str
) -> None:
    response = api.get(f"{URL}?{given}")
    assert response.status_code == 400, response.json()
    assert words in str(response.json()[key])


def test_a_cursor_says_that_it_is_of_another_order(api: Any, hosts: dict[str, Any]) -> None:
    url = (
        api.get(f"{URL}?ordering=name&limit=1&cursor=")
        .json()["next"]
        .replace("ordering=name", "ordering=-name")
    )
    response = api.get(url)
    assert response.status_code == 400
    assert "The cursor is of the order 'name', and not of '-name'" in response.json()["cursor"][0]


def test_what_may_not_be_read_can_not_be_asked_for(
    api: Any, hosts: dict[str, Any], make_entity: Any, make_entry: Any
) -> None:
    EntityAttr.objects.filter(name="os").update(default_permission=Level.NOTHING)
    for given in ("attr.os=Linux", "ordering=attr.os", "fields=attr.os", "attr.host.attr.os=Linux"):
        response = api.get(f"{URL}?{given}")
        assert response.status_code == 400
        assert "There is no attribute 'os'" in str(response.json())
    EntityAttr.objects.filter(name="os").update(default_permission=Level.FULL)
    web = hosts["web"]
    type(web).objects.filter(pk=web.pk).update(default_permission=Level.NOTHING)
    assert names(api.get(f"{URL}?attr.os=Linux")) == []
    assert names(api.get(f"{URL}?attr.host.attr.os=Linux")) == []
    assert names(api.get(f"{URL}?attr.host=web")) == []
    assert names(api.get(f"{URL}?attr.uplink__empty=false")) == ["db"]  # its name is seen


def test_hopeless_conditions_name_the_index_to_make(api: Any, hosts: dict[str, Any], settings: Any) -> None:
    settings.PAGODA = settings.PAGODA.model_copy(update={"search_max_scanned_rows": 2})
    response = api.get(f"{URL}?attr.ram__gt=4")
    assert response.status_code == 400
    assert "More than 2 entries (SEARCH_MAX_SCANNED_ROWS)" in response.json()["attr.ram__gt"][0]
    assert "'Host.ram' has no index" in response.json()["attr.ram__gt"][0]
    assert "'Host.ram' has no index" in api.get(f"{URL}?entity=Host&ordering=attr.ram").json()["ordering"][0]
    assert names(api.get(f"{URL}?attr.port__gt=80&name__in=sql,http")) == ["sql"]


@pytest.mark.parametrize(
    ("asked", "is_filtered"),
    [
        ({"search": "we"}, True),
        ({"is_active": "false"}, True),
        ({"entity": "Host", "limit": "1", "cursor": ""}, False),
        ({"attr.os": "Linux", "ordering": "name", "fields": "id"}, False),
    ],
)
def test_what_filters_beside_a_search_is_told_to_it(
    api: Any, hosts: dict[str, Any], monkeypatch: pytest.MonkeyPatch, asked: dict[str, str], is_filtered: bool
) -> None:
    queries: list[Query] = []

    def find_noted(rows: Any, viewer: Any, query: Query) -> Any:
        queries.append(query)
        return find(rows, viewer, query)

    monkeypatch.setattr(entries, "find", find_noted)
    assert api.get(URL, asked).status_code == 200
    assert [query.is_filtered for query in queries] == [is_filtered]


def test_queries_of_a_condition_are_counted(
    api: Any, hosts: dict[str, Any], django_assert_num_queries: Any
) -> None:
    api.get(f"{URL}?attr.os=Linux")
    with django_assert_num_queries(6):
        # token, entity; attributes and whether values are there, candidates, count, page, targets
        assert names(api.get(f"{URL}?entity=Host&attr.os=Linux&ordering=-name")) == ["web"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("a,b", ["a", "b"]),
        ('"a,b",b', ["a,b", "b"]),
        ('"say ""a""",a', ["a", 'say "a"']),
        ('5" disk', ['5" disk']),
        ('"a', None),
        ('"a"b', None),
    ],
)
def test_values_of_a_list_may_be_quoted(
    api: Any, make_entity: Callable[..., Any], make_entry: Callable[..., Any], asked: str, found: Any
) -> None:
    disk = make_entity("Disk", label="string")
    for label in ("a", "b", "a,b", 'say "a"', '5" disk'):
        make_entry(disk, label, label=label)
    response = api.get(URL, {"attr.label__in": asked})
    if found is None:
        assert response.status_code == 400
        assert "into quotation marks" in response.json()["errors"]["attr.label__in"][0]
    else:
        assert sorted(names(response)) == sorted(found)

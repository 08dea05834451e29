"""Searches by trees and by words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pagoda.domain.entity.models import EntityAttr
from pagoda.domain.user.models import Level
from tools.kept_rows import made_once

pytestmark = pytest.mark.django_db

URL = "/api/v2/search/"


@pytest.fixture
def cmdb(make_entity: Callable[..., Any], make_entry: Callable[..., Any]) -> dict[str, Any]:
    return made_once(make_cmdb, make_entity, make_entry)


def make_cmdb(make_entity: Callable[..., Any], make_entry: Callable[..., Any]) -> dict[str, Any]:
    host = make_entity("Host", os="string", ram="number", tags="array_string", uplink="named_object")
    disk = make_entity("Disk", os="string", size="number")
    return {
        "web": make_entry(host, "web", os="Linux kernel", ram=64, tags=["größer", "dmz"]),
        "db": make_entry(host, "db", os="Windows", ram=512, uplink={"name": "eth0", "object": None}),
        "sda": make_entry(disk, "sda", os="Linux", size=4),
    }


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.json()
    return [entry["name"] for entry in response.json()["results"]]


def holds(field: str, value: Any, op: str = "eq") -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (holds("attr.os", "Linux"), ["sda"]),
        ({"field": "attr.os", "value": "Linux"}, ["sda"]),
        ({"and": [holds("attr.os", "linux", "contains"), holds("attr.ram", 64)]}, ["web"]),
        ({"or": [holds("attr.ram", 100, "gt"), holds("attr.size", 4)]}, ["db", "sda"]),
        ({"not": holds("attr.os", "linux", "contains")}, ["db"]),
        (
            {
                "and": [
                    {"not": holds("name", "db")},
                    {"or": [holds("attr.ram", [64], "in"), holds("name", "sda")]},
                ]
            },
            ["web", "sda"],
        ),
        ({"and": []}, ["web", "db", "sda"]),
        ({"or": []}, []),
        ({"not": {"and": []}}, []),
        ({"field": "attr.ram", "op": "empty"}, []),
    ],
)
def test_trees(api: Any, cmdb: Any, where: Any, found: list[str]) -> None:
    assert names(api.post(URL, {"where": where})) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("linux", ["web", "sda"]),
        ("linux kernel", ["web"]),
        ("größer", ["web"]),
        ("eth0", ["db"]),
        ("nothing", []),
        ("%", []),
        ("", ["web", "db", "sda"]),
    ],
)
def test_words(api: Any, cmdb: Any, text: str, found: list[str]) -> None:
    assert names(api.post(URL, {"text": text})) == found


def test_words_are_marked_where_they_are_shown(api: Any, cmdb: Any) -> None:
    response = api.post(URL, {"text": "linux", "entities": ["Host"], "fields": ["name"]})
    assert response.json()["results"] == [
        {"name": "web", "highlights": [{"field": "attr.os", "text": "Linux kernel", "marks": [[0, 5]]}]}
    ]


@pytest.mark.parametrize("spelling", ["straße", "Straße", "cafe\u0301"])
def test_words_are_marked_as_they_are_found(
    api: Any, make_entity: Any, make_entry: Any, spelling: str
) -> None:
    make_entry(make_entity("Place"), "straße 10, café")
    (found,) = api.post(URL, {"text": spelling}).json()["results"]
    ((mark,),) = [each["marks"] for each in found["highlights"]]
    assert found["name"][slice(*mark)] in ("straße", "café")


def test_pages_go_on_by_cursor(api: Any, cmdb: Any) -> None:
    first = api.post(URL, {"ordering": "name", "limit": 2})
    assert names(first) == ["db", "sda"]
    assert (first.json()["count"], first.json()["count_is_exact"]) == (3, True)
    again = api.post(URL, {"ordering": "name", "limit": 2, "cursor": first.json()["next"]})
    assert (names(again), again.json()["next"]) == (["web"], None)


def test_words_in_hidden_attributes_find_nothing(api: Any, cmdb: Any) -> None:
    EntityAttr.objects.filter(name="os").update(default_permission=Level.NOTHING)
    assert names(api.post(URL, {"text": "linux"})) == []
    assert names(api.post(URL, {"text": "dmz"})) == ["web"]


@pytest.mark.parametrize(
    ("given", "key", "words"),
    [
        ({"wher": {}}, "wher", "There is no field 'wher'"),
        ({"where": []}, "where", "is no condition. Give"),
        ({"where": {"and": {}}}, "where.and", "no list"),
        ({"where": {"field": "name"}}, "where.value", "needs a value"),
        ({"where": {"field": "name", "op": "is", "value": 1}}, "where.op", "There is no operator 'is'"),
        (
            {"where": {"and": [holds("nam", 1)]}},
            "where.and[0]",
            "There is no field 'nam'. Did you mean 'name'",
        ),
        ({"where": holds("attr.ram", "x")}, "where", "expected a number"),
        ({"where": holds("attr.ram", True)}, "where", "expected a number"),
        ({"where": holds("attr.ram", 5, "in")}, "where", "expected a list"),
        ({"where": {"or": [holds("name", "x")] * 101}}, "where.or", "More than 100"),
        ({"entities": ["Hst"]}, "entities", "Did you mean 'Host'"),
        ({"fields": ["nme"]}, "fields", "Did you mean 'name'"),
        ({"limit": 0}, "limit", "1"),
    ],
)
def test_what_is_wrong_is_named(api: Any, cmdb: Any, given: Any, key: str, words: str) -> None:
    response = api.post(URL, given)
    assert response.status_code == 400, response.json()
    assert words in str(response.json()[key])


def test_a_tree_that_is_too_deep_is_refused(api: Any, cmdb: Any) -> None:
    where: Any = holds("name", "web")
    for _ in range(12):
        where = {"not": where}
    response = api.post(URL, {"where": where})
    assert response.status_code == 400
    assert "more than 10 levels deep" in str(response.json())

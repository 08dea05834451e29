"""Entries that are wrong: a clear answer that names what is wrong, and nothing half-written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pagoda.domain.entity.models import Entity
from pagoda.domain.user.models import Level
from pagoda_plugin_sdk.rules.attr_types import TYPES

pytestmark = pytest.mark.django_db

ENTRIES = "/api/v2/entries/"

unwritten = pytest.mark.usefixtures("nothing_is_written")


NEW = {"name": "new", "schema": "Host"}


@unwritten
@pytest.mark.parametrize(
    ("body", "key", "says"),
    [
        ({"schema": "Host"}, "name", "required"),
        ({"name": "new"}, "schema", "Give the entity's id or name once"),
        ({**NEW, "entity": "Host"}, "schema", "Give the entity's id or name once"),
        ({"name": "new", "schema": "Hots"}, "schema", "There is no entity 'Hots'. Did you mean 'Host'?"),
        ({"name": "new", "schema": 10**6}, "schema", "There is no entity 1000000."),
        ({"name": "new", "schema": 10**30}, "schema", f"There is no entity {10**30}."),
        ({"name": "new", "schema": -1}, "schema", "There is no entity -1."),
        ({"name": "new", "schema": True}, "schema", "True is neither an id nor a name."),
        ({"name": "new", "schema": ["Host"]}, "schema", "['Host'] is neither an id nor a name."),
        ({"name": "new", "schema": None}, "schema", "may not be null"),
        ({"name": "new", "schema": "Ho\0st"}, "schema", "NUL"),
        ({**NEW, "name": 5}, "name", "expected text, got 5"),
        ({**NEW, "name": None}, "name", "may not be null"),
        ({**NEW, "name": ["a"]}, "name", "expected text, got ['a']"),
        ({**NEW, "name": ""}, "name", "is blank"),
        ({**NEW, "name": "  "}, "name", "is blank"),
        ({**NEW, "name": "x" * 201}, "name", "has 201 characters, at most 200"),
        ({**NEW, "name": "a\nb"}, "name", "control character"),
        ({**NEW, "name": "a\0b"}, "name", "NUL"),
        ({**NEW, "name": "web"}, "name", "already has an entry named 'web'"),
        ({**NEW, "note": 5}, "note", "expected text, got 5"),
        ({**NEW, "note": "x" * 65_536}, "note", "65,536 characters"),
        ({**NEW, "nmae": "x"}, "nmae", "There is no field 'nmae'. Did you mean 'name'?"),
        ({**NEW, "attrs": {"adress": "x"}}, "adress", "has no attribute 'adress'. Did you mean 'address'?"),
        ({**NEW, "attrs": {"a\0": "x"}}, "a\0", "has no attribute"),
        ({**NEW, "attrs": [{"name": "adress", "value": 1}]}, "adress", "Did you mean 'address'?"),
        ({**NEW, "attrs": [{"id": 10**6, "value": 1}]}, "1000000", "has no attribute"),
        ({**NEW, "attrs": [{"id": 10**30, "value": 1}]}, str(10**30), "has no attribute"),
        ({**NEW, "attrs": [{"id": [1], "value": 1}]}, "[1]", "has no attribute"),
        ({**NEW, "attrs": [{"name": {}, "value": 1}]}, "{}", "has no attribute"),
        ({**NEW, "attrs": [{"name": "address"}]}, "attrs", "expected {'id' or 'name', 'value'}"),
        ({**NEW, "attrs": ["address"]}, "attrs", "expected {'id' or 'name', 'value'}"),
        ({**NEW, "attrs": "address"}, "attrs", "Attributes are {name: value} or"),
        ({**NEW, "attrs": 0}, "attrs", "Attributes are {name: value} or"),
        ({**NEW, "attrs": None}, "attrs", "may not be null"),
    ],
)
def test_new_entry_that_is_wrong(api: Any, body: dict[str, Any], key: str, says: str) -> None:
    response = api.post(ENTRIES, body)

    is_taken = body.get("name") == "web"
    assert response.status_code == (409 if is_taken else 400), response.json()
    assert says in str(response.json()["errors"][key])
    assert response.json()["code"] == ("conflict" if is_taken else "invalid")


@unwritten
def test_all_faults_of_an_entry_are_told_together(api: Any) -> None:
    body = {"name": "", "schema": "Host", "attrs": {"count": "four", "address": 5}}

    response = api.post(ENTRIES, body)

    assert response.status_code == 400
    faults = {"name", "count", "address"}
    assert set(response.json()) == {*faults, "code", "detail", "errors"}
    assert set(response.json()["errors"]) == faults


@unwritten
@pytest.mark.parametrize(
    ("body", "key", "says"),
    [
        ({"name": ""}, "name", "is blank"),
        ({"name": "x" * 201}, "name", "201 characters"),
        ({"note": []}, "note", "expected text"),
        ({"attrs": {"count": "four"}}, "count", "Attribute 'count'"),
        ({"attrs": {"nothing": 1}}, "nothing", "has no attribute 'nothing'"),
        ({"attrs": False}, "attrs", "Attributes are {name: value} or"),
        ({"schema": "Host"}, "schema", "It can't be changed"),
        ({"is_active": False}, "is_active", "It can't be changed"),
        ({"note": "half written?", "attrs": {"address": "10.0.0.2", "count": "four"}}, "count", "number"),
    ],
)
def test_change_of_an_entry_that_is_wrong(
    api: Any, web: Any, body: dict[str, Any], key: str, says: str
) -> None:
    response = api.patch(f"{ENTRIES}{web.pk}/", body)

    assert response.status_code == 400, response.json()
    assert says in str(response.json()[key])


WRONG = {
    "string": [5, True, {}, "x" * 65_536],
    "text": [5, [], "a\0b"],
    "boolean": ["true", 1, "x"],
    "number": ["four", True, "4", 10**30],
    "date": ["2026-13-01", "yesterday", 5, "2026-01-01T00:00:00Z"],
    "datetime": ["2026-01-01", "noon", 5, "2026-01-01T00:00:00"],
    "object": ["web", 10**6, {"name": "web"}, True, -1],
    "named_object": [5, {"object": 10**6}, {"name": 5}, {"nmae": "x"}],
    "group": ["admins", 10**6, {}],
    "role": ["admins", 10**6, {}],
    "select": ["xl", 5, ""],
}


def wrong_values() -> Iterator[Any]:
    for name, wrong in WRONG.items():
        for position, value in enumerate(wrong):
            yield pytest.param(name, value, id=f"{name}-{position}")
            yield pytest.param(f"array_{name}", [value], id=f"array_{name}-{position}")
        yield pytest.param(f"array_{name}", "no list", id=f"array_{name}-no list")
        yield pytest.param(f"array_{name}", [None], id=f"array_{name}-null inside")


def test_every_type_has_wrong_values() -> None:
    assert {value.values[0] for value in wrong_values()} == set(TYPES)


@pytest.mark.parametrize(("attr_type", "value"), list(wrong_values()))
def test_value_of_the_wrong_type_names_the_attribute(
    api: Any, attr_type: str, value: Any, count_rows: Callable[[], dict[str, int]]
) -> None:
    choices = ["s", "m"] if "select" in attr_type else []
    attrs = [{"name": "it", "type": attr_type, "choices": choices}]
    Entity.objects.create_entity(user=None, name="Typed", default_permission=Level.FULL, attrs=attrs)
    before = count_rows()

    response = api.post(ENTRIES, {"name": "new", "schema": "Typed", "attrs": {"it": value}})

    assert response.status_code == 400, response.json()
    [message] = response.json()["it"]
    assert message.startswith("Attribute 'it': ")
    assert count_rows() == before


def test_mandatory_attribute_is_demanded(api: Any, count_rows: Callable[[], dict[str, int]]) -> None:
    attrs = [{"name": "serial", "type": "string", "is_mandatory": True}]
    Entity.objects.create_entity(user=None, name="Disk", default_permission=Level.FULL, attrs=attrs)

    for given in ({}, {"serial": ""}, {"serial": None}):
        response = api.post(ENTRIES, {"name": "sda", "schema": "Disk", "attrs": given})
        assert response.status_code == 400
        assert response.json()["serial"] == ["Attribute 'serial' is mandatory; give it a value."]
    assert count_rows()["entry.Entry"] == 0


@pytest.mark.parametrize("by", ["id", "name"])
def test_more_attributes_than_a_query_takes_are_refused(api: Any, web: Any, by: str) -> None:
    items = [{by: number if by == "id" else f"a{number}", "value": 1} for number in range(1, 70_001)]
    for attrs in (items, {f"a{number}": 1 for number in range(70_000)}):
        response = api.patch(f"/api/v2/entries/{web.pk}/", {"attrs": attrs})
        assert response.status_code == 400
        assert len(response.content) < 50_000
        assert "70,000 values are given at once" in response.json()["attrs"][0]

"""Requests that are wrong: a clear answer that names what is wrong, and nothing half-written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps

from pagoda.domain.entity.attr_types import TYPES
from pagoda.domain.entity.models import Entity

pytestmark = pytest.mark.django_db

ENTRIES = "/api/v2/entries/"
ENTITIES = "/api/v2/entities/"
JOBS = "/api/v2/jobs/"

TABLES = ("entity.Entity", "entity.EntityAttr", "entry.Entry", "entry.Attribute", "entry.AttributeValue", "job.Job")


def rows() -> dict[str, int]:
    return {label: apps.get_model(label)._default_manager.count() for label in TABLES}


@pytest.fixture
def web(make_entity: Callable[..., Any], make_entry: Callable[..., Any]) -> Any:
    host = make_entity("Host", address="string", count="number")
    return make_entry(host, "web", address="10.0.0.1")


@pytest.fixture
def nothing_is_written(web: Any) -> Iterator[None]:
    before = rows()
    yield
    assert rows() == before
    web.refresh_from_db()
    assert (web.name, web.note, web.get_attrs()) == ("web", "", {"address": "10.0.0.1", "count": None})


unwritten = pytest.mark.usefixtures("nothing_is_written")


@unwritten
@pytest.mark.parametrize("url", [ENTRIES, ENTITIES, "/api/v2/auth/token/", "/api/v2/auth/login/"])
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"name": ', "JSON parse error"),
        (b"\xff\xfe", "JSON parse error"),
        (b'{"name": NaN}', "JSON parse error"),
        (b"[" * 100_000, "too deeply nested"),
        (b'{"name": "\\ud800"}', "half of a surrogate pair"),
        (b"[1, 2]", "Expected a dictionary"),
        (b'"text"', "Expected a dictionary"),
        (b"null", "No data provided"),
    ],
    ids=["cut off", "not UTF-8", "NaN", "nested", "surrogate", "list", "text", "null"],
)
def test_body_that_is_no_json_object(api: Any, url: str, body: bytes, says: str) -> None:
    response = api.generic("POST", url, body, content_type="application/json")

    assert response.status_code == 400
    assert says in response.json()["detail"]
    assert response.json()["code"] in ("parse_error", "invalid")


@unwritten
def test_body_of_another_type(api: Any) -> None:
    response = api.generic("POST", ENTRIES, b"name=web", content_type="application/x-www-form-urlencoded")

    assert response.status_code == 415
    assert response.json()["code"] == "unsupported_media_type"


@unwritten
def test_body_that_is_too_long(api: Any, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000

    response = api.post(ENTRIES, {"name": "x" * 1000, "schema": "Host"})

    assert response.status_code == 413
    assert "at most 1000 are accepted" in response.json()["detail"]


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

    assert response.status_code == 400, response.json()
    assert says in str(response.json()[key])
    assert response.json()["code"] == "invalid"


@unwritten
def test_all_faults_of_an_entry_are_told_together(api: Any) -> None:
    body = {"name": "", "schema": "Host", "attrs": {"count": "four", "address": 5}}

    response = api.post(ENTRIES, body)

    assert response.status_code == 400
    assert set(response.json()) == {"name", "count", "address", "code"}


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
        ({"schema": "Host"}, "schema", "There is no field 'schema'"),
        ({"is_active": False}, "is_active", "There is no field 'is_active'"),
        ({"note": "half written?", "attrs": {"address": "10.0.0.2", "count": "four"}}, "count", "number"),
    ],
)
def test_change_of_an_entry_that_is_wrong(api: Any, web: Any, body: dict[str, Any], key: str, says: str) -> None:
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
def test_value_of_the_wrong_type_names_the_attribute(api: Any, attr_type: str, value: Any) -> None:
    choices = ["s", "m"] if "select" in attr_type else []
    attrs = [{"name": "it", "type": attr_type, "choices": choices}]
    Entity.objects.create_entity(user=None, name="Typed", attrs=attrs)
    before = rows()

    response = api.post(ENTRIES, {"name": "new", "schema": "Typed", "attrs": {"it": value}})

    assert response.status_code == 400, response.json()
    [message] = response.json()["it"]
    assert message.startswith("Attribute 'it': ")
    assert rows() == before


def test_mandatory_attribute_is_demanded(api: Any) -> None:
    attrs = [{"name": "serial", "type": "string", "is_mandatory": True}]
    Entity.objects.create_entity(user=None, name="Disk", attrs=attrs)

    for given in ({}, {"serial": ""}, {"serial": None}):
        response = api.post(ENTRIES, {"name": "sda", "schema": "Disk", "attrs": given})
        assert response.status_code == 400
        assert response.json()["serial"] == ["Attribute 'serial' is mandatory; give it a value."]
    assert rows()["entry.Entry"] == 0


STRING = {"name": "a", "type": "string"}


@unwritten
@pytest.mark.parametrize(
    ("body", "key", "says"),
    [
        ({}, "name", "required"),
        ({"name": "Host"}, "name", "exists already"),
        ({"name": ""}, "name", "is blank"),
        ({"name": "x" * 201}, "name", "201 characters"),
        ({"name": 5}, "name", "expected text"),
        ({"name": "New", "note": 5}, "note", "expected text"),
        ({"name": "New", "default_permission": 3}, "default_permission", "is one of 1 (nothing)"),
        ({"name": "New", "atrs": []}, "atrs", "Did you mean 'attrs'?"),
        ({"name": "New", "attrs": {}}, "attrs", "Attributes are a list"),
        ({"name": "New", "attrs": 5}, "attrs", "Attributes are a list"),
        ({"name": "New", "attrs": ["a"]}, "attrs", "Attributes are a list"),
        ({"name": "New", "attrs": [{"type": "string"}]}, "attrs[0]", "has no 'name'"),
        ({"name": "New", "attrs": [{"name": "a"}]}, "a", "has no 'type'"),
        ({"name": "New", "attrs": [{"name": "a", "type": "strin"}]}, "a", "Did you mean 'string'"),
        ({"name": "New", "attrs": [{"name": "x" * 201, "type": "string"}]}, "x" * 201, "201 characters"),
        ({"name": "New", "attrs": [STRING, STRING]}, "a", "has an attribute 'a' already"),
        ({"name": "New", "attrs": [{**STRING, "is_mandatory": "yes"}]}, "a", "expected true or false"),
        ({"name": "New", "attrs": [{**STRING, "mandatory": True}]}, "a", "Did you mean 'is_mandatory'?"),
        ({"name": "New", "attrs": [{**STRING, "choices": ["x"]}]}, "a", "'choices' are for select"),
        ({"name": "New", "attrs": [{**STRING, "default_value": 5}]}, "a", "'default_value'"),
        ({"name": "New", "attrs": [{"name": "a", "type": "select"}]}, "a", "A select needs 'choices'"),
        (
            {"name": "New", "attrs": [{"name": "a", "type": "object", "referral": ["Hots"]}]},
            "a",
            "an entity named 'Hots', which does not exist. Did you mean 'Host'?",
        ),
        ({"name": "New", "attrs": [{"name": "a", "type": "object", "referral": "Host"}]}, "a", "is a list"),
        ({"name": "New", "attrs": [{"name": "a", "type": "object", "referral": [{}]}]}, "a", "not None"),
    ],
)
def test_new_entity_that_is_wrong(api: Any, body: dict[str, Any], key: str, says: str) -> None:
    response = api.post(ENTITIES, body)

    assert response.status_code == 400, response.json()
    assert says in str(response.json()[key])


@unwritten
@pytest.mark.parametrize("method", ["patch", "put"])
@pytest.mark.parametrize(
    ("attrs", "key", "says"),
    [
        ([{"id": 10**6, "name": "x"}], "x", "no attribute with the id 1000000"),
        ([{"id": [1], "name": "x"}], "x", "no attribute with the id [1]"),
        ([{"is_deleted": True}], "attrs[0]", "is named by its 'id', which is missing"),
        ([{"name": ["x"], "type": "string"}], "['x']", "expected text"),
    ],
)
def test_change_of_an_entity_that_is_wrong(
    api: Any, web: Any, method: str, attrs: Any, key: str, says: str
) -> None:
    response = getattr(api, method)(f"{ENTITIES}{web.schema_id}/", {"name": "Host", "attrs": attrs})

    assert response.status_code == 400, response.json()
    assert says in str(response.json()[key])


@unwritten
def test_type_of_an_attribute_is_fixed(api: Any, web: Any) -> None:
    attr = web.schema.attrs.get(name="address")

    response = api.patch(f"{ENTITIES}{web.schema_id}/", {"attrs": [{"id": attr.pk, "type": "number"}]})

    assert response.status_code == 400
    assert "can't become number" in str(response.json())


@unwritten
@pytest.mark.parametrize(
    ("url", "parameters", "key", "says"),
    [
        (ENTRIES, {"limit": 1001}, "limit", "'1001' is not a whole number from 1 to 1000."),
        (ENTRIES, {"limit": 10**30}, "limit", "is not a whole number from 1 to 1000."),
        (ENTRIES, {"limit": 0}, "limit", "'0' is not a whole number from 1 to 1000."),
        (ENTRIES, {"limit": "all"}, "limit", "'all' is not a whole number from 1 to 1000."),
        (ENTRIES, {"offset": -1}, "offset", "'-1' is not a whole number from 0"),
        (ENTRIES, {"offset": 10**30}, "offset", "is not a whole number from 0"),
        (ENTRIES, {"entity": "Hots"}, "entity", "There is no entity 'Hots'. Did you mean 'Host'?"),
        (ENTRIES, {"entity": 10**6}, "entity", "There is no entity '1000000'."),
        (ENTRIES, {"entity": 10**30}, "entity", "There is no entity"),
        (ENTRIES, {"entity": "²"}, "entity", "There is no entity '²'."),
        (ENTRIES, {"is_active": "maybe"}, "is_active", "maybe is not one of the available choices"),
        (ENTRIES, {"search": "a\0b"}, "search", "Null characters are not allowed"),
        (ENTRIES, {"serach": "x"}, "serach", "no query parameter 'serach'. Did you mean 'search'?"),
        (ENTITIES, {"limit": 1001}, "limit", "'1001' is not a whole number from 1 to 1000."),
        (ENTITIES, {"entity": "Host"}, "entity", "There is no query parameter 'entity'."),
        (JOBS, {"limit": 1001}, "limit", "'1001' is not a whole number from 1 to 1000."),
        (JOBS, {"status": "don"}, "status", "There is no status 'don'. Did you mean 'done'?"),
        (JOBS, {"plugin": "nothing"}, "plugin", "No enabled plugin is called 'nothing'."),
        (JOBS, {"created_after": "yesterday"}, "created_after", "Enter a valid date/time"),
        (JOBS, {"hidden": "maybe"}, "hidden", "maybe is not one of the available choices"),
        (JOBS, {"cursor": "!"}, "cursor", "'!' is no cursor. Follow the links of the pages."),
        (JOBS, {"cursor": "bz14"}, "cursor", "is no cursor"),
        (JOBS, {"cursor": "cD1hYmM="}, "cursor", "is no cursor"),
        (JOBS, {"statsu": "done"}, "statsu", "Did you mean 'status'"),
    ],
)
def test_query_that_is_wrong(api: Any, url: str, parameters: dict[str, Any], key: str, says: str) -> None:
    response = api.get(url, parameters)

    assert response.status_code == 400, response.json()
    assert says in str(response.json()[key])


@unwritten
@pytest.mark.parametrize("identity", ["1000000", str(10**30), "0"])
@pytest.mark.parametrize(
    ("method", "path", "noun"),
    [
        ("get", "entries/{}/", "entry"),
        ("patch", "entries/{}/", "entry"),
        ("delete", "entries/{}/", "entry"),
        ("post", "entries/{}/restore/", "entry"),
        ("get", "entries/{}/history/", "entry"),
        ("get", "entities/{}/", "entity"),
        ("patch", "entities/{}/", "entity"),
        ("delete", "entities/{}/", "entity"),
        ("post", "entities/{}/restore/", "entity"),
        ("get", "jobs/{}/", "job"),
        ("post", "jobs/{}/cancel/", "job"),
        ("post", "jobs/{}/retry/", "job"),
        ("get", "jobs/{}/log/", "job"),
        ("get", "jobs/{}/file/", "job"),
    ],
)
def test_unknown_id(api: Any, method: str, path: str, noun: str, identity: str) -> None:
    response = getattr(api, method)(f"/api/v2/{path.format(identity)}")

    assert response.status_code == 404
    assert response.json() == {
        "detail": f"There is no {noun} {identity}, or you may not see it.",
        "code": "not_found",
    }


@unwritten
@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/api/v2/nothing/", "Nothing is served at '/api/v2/nothing/'"),
        ("/api/v2/entries/web/", "Nothing is served at '/api/v2/entries/web/'"),
        ("/api/v2/plugins/nothing/", "No enabled plugin is called 'nothing'"),
        ("/api/v2/plugins/nothing/scan/", "No enabled plugin is called 'nothing'"),
        ("/api/v2/plugins/../", "No enabled plugin is called '..'"),
    ],
)
def test_unknown_path(api: Any, path: str, says: str) -> None:
    response = api.get(path)

    assert response.status_code == 404
    assert response.json()["code"] == "not_found"
    assert says in response.json()["detail"]


@unwritten
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("delete", "entries/"),
        ("put", "entries/{}/"),
        ("post", "entries/{}/"),
        ("get", "entries/{}/restore/"),
        ("delete", "entities/"),
        ("post", "jobs/"),
        ("delete", "jobs/"),
        ("post", "plugins/"),
        ("get", "auth/token/"),
        ("get", "auth/login/"),
    ],
)
def test_method_that_is_not_allowed(api: Any, web: Any, method: str, path: str) -> None:
    response = getattr(api, method)(f"/api/v2/{path.format(web.pk)}")

    assert response.status_code == 405
    assert response.json()["code"] == "method_not_allowed"
    assert method.upper() in response.json()["detail"]

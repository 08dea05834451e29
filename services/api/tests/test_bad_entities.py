"""Entities that are wrong: a clear answer that names what is wrong, and nothing half-written."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.django_db

ENTITIES = "/api/v2/entities/"

unwritten = pytest.mark.usefixtures("nothing_is_written")


STRING = {"name": "a", "type": "string"}


@unwritten
@pytest.mark.parametrize(
    ("body", "key", "says"),
    [
        ({}, "name", "required"),
        ({"name": "Host"}, "name", "is taken by another entity"),
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

    assert response.status_code == (409 if "taken" in says else 400), response.json()
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

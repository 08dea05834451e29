"""Answers fit what the OpenAPI schema says of them, as JSON Schema 2020-12 reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

pytestmark = pytest.mark.django_db


def faults(schema: dict[str, Any], operation: str, answer: Any) -> list[str]:
    """Return how an answer is not what its operation, such as ``GET /api/v2/jobs/``, says of it."""
    method, path = operation.split()
    told = schema["paths"][path][method.lower()]["responses"].get(str(answer.status_code))
    if told is None:
        return [f"{answer.status_code} is not told"]
    name = told.get("$ref", "").rpartition("/")[2]
    content = (schema["components"]["responses"][name] if name else told)["content"]
    shape = content["application/json"]["schema"]
    validator = Draft202012Validator({**shape, "components": schema["components"]})
    return [each.message for each in validator.iter_errors(answer.json())]


def keys_in(schema: Any) -> Iterator[str]:
    """Yield the keywords of a schema, those of its parts too; names of properties are none."""
    if isinstance(schema, dict):
        yield from schema
        for key, each in schema.items():
            yield from keys_in(list(each.values()) if key == "properties" else each)
    elif isinstance(schema, list):
        for each in schema:
            yield from keys_in(each)


def test_no_keyword_is_one_of_the_former_openapi(schema: dict[str, Any]) -> None:
    assert "nullable" not in set(keys_in(schema))


def test_first_and_last_pages_fit(
    superuser_api: Any, web: Any, make_entry: Any, schema: dict[str, Any]
) -> None:
    for name in ("b", "c"):
        make_entry(web.schema, name)
    for path in ("entries", "entities", "jobs", "audit", "users", "groups", "roles", "tokens"):
        url: str | None = f"/api/v2/{path}/?limit=2"
        for _ in range(3):
            answer = superuser_api.get(url)
            assert not faults(schema, f"GET /api/v2/{path}/", answer), url
            url = answer.json()["next"] or url
    for query in ("cursor=&limit=1", "limit=1&offset=1", "at=2026-01-01"):
        answer = superuser_api.get(f"/api/v2/entries/?{query}")
        assert not faults(schema, "GET /api/v2/entries/", answer), query
    page = schema["components"]["schemas"]["PaginatedListedEntryList"]
    assert {*page["required"]} == {"count", "count_is_exact", "results"}


@pytest.mark.parametrize("fields", ["id,name", "attr.address", "name,attrs", ""])
def test_entries_of_which_parts_are_asked_for_fit(
    api: Any, web: Any, schema: dict[str, Any], fields: str
) -> None:
    listed = api.get(f"/api/v2/entries/?fields={fields}")
    asked = [each for each in fields.split(",") if each]
    found = api.post("/api/v2/search/", {"fields": asked, "text": "web"})
    saved = api.post("/api/v2/search/saved/", {"name": "s", "search": {"fields": asked}}).json()
    run = api.post(f"/api/v2/search/saved/{saved['id']}/run/")

    assert [len(each.json()["results"]) for each in (listed, found, run)] == [1, 1, 1]
    assert not faults(schema, "GET /api/v2/entries/", listed)
    assert not faults(schema, "POST /api/v2/search/", found)
    assert not faults(schema, "POST /api/v2/search/saved/{id}/run/", run)


def test_a_failed_condition_of_a_get_is_told(api: Any, web: Any, schema: dict[str, Any]) -> None:
    for kind, pk in (("entries", web.pk), ("entities", web.schema_id)):
        answer = api.get(f"/api/v2/{kind}/{pk}/", HTTP_IF_MATCH='"other"')
        assert answer.status_code == 412
        assert not faults(schema, f"GET /api/v2/{kind}/{{id}}/", answer)


def test_the_types_of_files_are_told(schema: dict[str, Any]) -> None:
    from pagoda.transfer.formats import FORMATS

    told = schema["paths"]["/api/v2/jobs/{id}/file/"]["get"]["responses"]["200"]["content"]
    types = {each.content_type for each in FORMATS.values()}
    assert {*told} == {*types, "application/octet-stream", "*/*"}
    assert all(each["schema"] == {"type": "string", "format": "binary"} for each in told.values())

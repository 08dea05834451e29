"""One shape of errors: whatever attributes are called, what is told of the whole stands."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.django_db

RESERVED = ("code", "detail", "errors", "plugin", "request_id")
OF_THE_WHOLE = ("__all__", "non_field_errors")


def test_no_attribute_hides_what_is_told_of_the_whole(api: Any, make_entity: Any) -> None:
    make_entity("Odd", **dict.fromkeys((*RESERVED, "ram"), "number"))
    attrs = dict.fromkeys((*RESERVED, "ram"), "many")

    response = api.post("/api/v2/entries/", {"name": "x", "schema": "Odd", "attrs": attrs})

    body = response.json()
    assert (response.status_code, body["code"]) == (400, "invalid")
    assert set(body["errors"]) == {*RESERVED, "ram"}
    assert all("many" in messages[0] for messages in body["errors"].values())
    assert isinstance(body["detail"], str)
    assert "And 3 more: see `errors`." in body["detail"]
    assert "plugin" not in body
    assert body["ram"] == body["errors"]["ram"]  # for clients of the former release


@pytest.mark.parametrize("name", OF_THE_WHOLE)
def test_faults_of_an_attribute_are_no_faults_of_the_whole(api: Any, make_entity: Any, name: str) -> None:
    make_entity("Odd", **dict.fromkeys((name, "ram"), "number"))
    item = {"entity": "Odd", "name": "x", "attrs": {name: "many"}}

    alone = api.post("/api/v2/entries/", item)
    in_bulk = api.post("/api/v2/entries/bulk/", {"items": [{"op": "create", **item}]})
    doubled = api.post(
        "/api/v2/entities/", {"name": "Two", "attrs": [{"name": name, "type": "string", "note": 1}]}
    )

    [result] = in_bulk.json()["results"]
    fault = f"Attribute {name!r}: expected a number such as 3 or 3.5, got 'many'"
    assert (alone.status_code, result["http_status"], doubled.status_code) == (400, 400, 400)
    assert alone.json()["errors"] == {f"attr.{name}": [fault]}
    assert result["error"] == alone.json()
    assert [*doubled.json()["errors"]] == [f"attr.{name}"]


def test_an_attribute_that_finds_by_its_value_is_named_by_itself(
    api: Any, make_entity: Any, make_entry: Any
) -> None:
    entity = make_entity("Odd", __all__="string")
    for name in ("x", "y"):
        make_entry(entity, name, __all__="same")

    def upsert(value: Any) -> Any:
        item = {"op": "upsert", "entity": "Odd", "key": "__all__", "name": "z", "attrs": {"__all__": value}}
        return api.post("/api/v2/entries/bulk/", {"items": [item]}).json()["results"][0]["error"]

    assert [*upsert("same")["errors"]] == ["attr.__all__"]
    assert [*upsert(None)["errors"]] == ["attr.__all__"]


def test_more_faults_than_are_told_stand_beside_those_of_such_an_attribute(
    api: Any, make_entity: Any, settings: Any
) -> None:
    settings.PAGODA = settings.PAGODA.model_copy(update={"domain_max_faults": 2})
    names = ("__all__", "non_field_errors", "ram", "up")
    make_entity("Odd", **dict.fromkeys(names, "number"))
    item = {"entity": "Odd", "name": "x", "attrs": dict.fromkeys(names, "many")}

    body = api.post("/api/v2/entries/", item).json()

    assert [*body["errors"]] == ["attr.__all__", "attr.non_field_errors"]
    first = "Attribute '__all__': expected a number such as 3 or 3.5, got 'many'"
    assert body["detail"].startswith(f"attr.__all__: {first}"), body["detail"]
    assert body["detail"].endswith(" There are 2 more faults.")


def test_the_detail_names_the_first_faults(api: Any, web: Any) -> None:
    body = api.post("/api/v2/entries/", {"name": "x", "schema": "Hots"}).json()
    assert body["detail"] == "schema: There is no entity 'Hots'. Did you mean 'Host'?"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "entries/", {"name": "web", "schema": "Host"}),
        ("patch", "entries/{other}/", {"name": "web"}),
        ("post", "entities/", {"name": "Host"}),
        ("patch", "entities/{host}/", {"attrs": [{"name": "count", "type": "string"}]}),
        ("delete", "entities/{host}/", None),
        ("patch", "entries/{gone}/", {"name": "x"}),
        ("post", "entries/{gone}/restore/", None),
    ],
)
def test_what_only_the_state_forbids_is_a_conflict(
    api: Any, web: Any, make_entry: Any, method: str, path: str, body: Any
) -> None:
    other, gone = make_entry(web.schema, "other"), make_entry(web.schema, "gone")
    gone.delete()
    make_entry(web.schema, "gone")
    url = path.format(other=other.pk, gone=gone.pk, host=web.schema_id)

    response = getattr(api, method)(f"/api/v2/{url}", body)

    assert (response.status_code, response.json()["code"]) == (409, "conflict"), response.json()


def test_a_conflict_beside_a_fault_of_the_request_is_a_fault_of_it(api: Any, web: Any) -> None:
    body = {"name": "web", "schema": "Host", "attrs": {"count": "many"}}
    assert api.post("/api/v2/entries/", body).status_code == 400


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("entries/bulk/", {"items": [{}, {}, None]}, "items[2]: This field may not be null."),
        ("search/", {"entities": ["a", "b\0", "c"]}, "entities: "),
        ("search/", {"fields": ["a", 5]}, "fields[1]: Expected a text, not 5."),
        (
            "search/saved/",
            {"name": "x", "search": {"fields": ["a", 5]}},
            "search.fields[1]: Expected a text, not 5.",
        ),
    ],
)
def test_the_detail_says_where_a_nested_fault_is(api: Any, path: str, body: Any, detail: str) -> None:
    told = api.post(f"/api/v2/{path}", body).json()["detail"]
    assert told.startswith(detail), told
    assert "ErrorDetail" not in told


@pytest.mark.parametrize(
    ("path", "body", "errors"),
    [
        ("exports/", {"file_format": "csv", "entities": ["a", 5, []]}, {"entities[1]", "entities[2]"}),
        ("search/", {"entities": ["Host"], "fields": [[1], 2]}, {"fields[0]", "fields[1]"}),
        ("search/saved/", {"name": "x", "search": {"fields": [5], "zz": "1"}}, {"search.zz"}),
        ("entries/bulk/", {"items": [{}, None]}, {"items[1]"}),
        ("search/", {"where": {"and": [{"field": "name", "op": "is"}]}}, {"where.and[0].op"}),
    ],
)
def test_nested_faults_are_told_by_their_paths(
    superuser_api: Any, path: str, body: Any, errors: set[str]
) -> None:
    answer = superuser_api.post(f"/api/v2/{path}", body)
    told = answer.json()["errors"]
    assert answer.status_code == 400
    assert {*told} == errors
    assert all(isinstance(each, str) for messages in told.values() for each in messages)
    assert answer.json()["detail"].startswith(f"{next(iter(told))}: {next(iter(told.values()))[0]}")


def test_faults_of_a_role_are_told_by_their_paths(superuser_api: Any) -> None:
    body = {"name": "r", "permissions": [{"entity": "Nope", "level": 2}]}
    told = superuser_api.post("/api/v2/roles/", body).json()["errors"]
    assert [*told] == ["permissions.entity"]
    assert all(isinstance(each, str) for messages in told.values() for each in messages)


def test_many_faults_of_one_attribute_begin_with_the_first(
    api: Any, make_entity: Any, make_entry: Any, settings: Any
) -> None:
    settings.PAGODA = settings.PAGODA.model_copy(update={"domain_max_faults": 2})
    entity = make_entity("Host", ram="string")
    for number in range(5):
        make_entry(entity, f"h{number}", ram="many")
    attr = entity.attrs.get(name="ram")

    answer = api.patch(f"/api/v2/entities/{entity.pk}/", {"attrs": [{"id": attr.pk, "type": "number"}]})

    body = answer.json()
    [(name, messages)] = body["errors"].items()
    assert (answer.status_code, len(messages)) == (400, 2)
    assert body["detail"] == f"{name}: {messages[0]} There are 3 more faults."


def test_unknown_fields_that_are_not_told_are_counted_behind_the_first(api: Any, settings: Any) -> None:
    settings.PAGODA = settings.PAGODA.model_copy(update={"domain_max_faults": 2})
    body = api.post("/api/v2/search/", dict.fromkeys("abcd", 1)).json()
    assert [*body["errors"]] == ["a", "b"]
    assert body["detail"].startswith("a: There is no field 'a'.")
    assert body["detail"].endswith(" And 2 more that are unknown.")


@pytest.mark.parametrize("field", ["schema", "entity"])
def test_an_unknown_entity_is_told_where_it_was_sent(api: Any, web: Any, field: str) -> None:
    assert [*api.post("/api/v2/entries/", {"name": "a", field: "Nope"}).json()["errors"]] == [field]
    both = api.post("/api/v2/entries/", {"name": "a", "schema": "Host", "entity": "Host"}).json()
    assert {*both["errors"]} == {"schema", "entity"}


def test_a_page_begins_at_a_cursor_or_behind_an_offset(api: Any, web: Any) -> None:
    answer = api.get("/api/v2/entries/?cursor=&offset=5&limit=1")
    assert (answer.status_code, {*answer.json()["errors"]}) == (400, {"cursor", "offset"})


def test_empty_takes_the_json_that_the_schema_says(api: Any, web: Any) -> None:
    def search(value: Any) -> Any:
        where = {"and": [{"field": "attr.count", "op": "empty", "value": value}]}
        return api.post("/api/v2/search/", {"where": where})

    assert [search(value).json()["count"] for value in (True, False)] == [1, 0]
    for value in ("true", 1, None):
        assert [*search(value).json()["errors"]] == ["where.and[0].value"]
    assert api.get("/api/v2/entries/?attr.count__empty=true").json()["count"] == 1

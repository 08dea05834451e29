from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from pagoda.domain.search.conditions import OPERATORS
from pagoda.domain.search.filters import OWN_FIELDS
from pagoda_plugin_sdk.plugin import Plugin
from pagoda_plugin_sdk.rules.attr_types import TYPES

pytestmark = pytest.mark.django_db

JSON = "application/vnd.oai.openapi+json"  # PyYAML takes several times as long to read it as it takes to make


class Good(Plugin):
    id = name = "good"
    api_v2_patterns = "routes_good_api"


class Odd(Plugin):
    id = name = "odd"
    api_v2_patterns = "routes_odd_views"


def schema_of(client: Any) -> dict[str, Any]:
    response = client.get("/api/v2/schema/", HTTP_ACCEPT=JSON)
    assert response.status_code == 200
    schema: dict[str, Any] = response.json()
    return schema


def test_schema_is_valid_and_complete(anonymous: Any) -> None:
    schema = yaml.safe_load(anonymous.get("/api/v2/schema/").content)

    validate_schema(schema)  # type: ignore[no-untyped-call]
    assert schema["openapi"].startswith("3.")
    operations = {
        f"{method.upper()} {path}" for path, methods in schema["paths"].items() for method in methods
    }
    assert operations == {
        "GET /api/v2/",
        "POST /api/v2/auth/token/",
        "DELETE /api/v2/auth/token/",
        "POST /api/v2/auth/login/",
        "POST /api/v2/auth/logout/",
        "GET /api/v2/entities/",
        "POST /api/v2/entities/",
        "GET /api/v2/entities/{id}/",
        "PUT /api/v2/entities/{id}/",
        "PATCH /api/v2/entities/{id}/",
        "DELETE /api/v2/entities/{id}/",
        "POST /api/v2/entities/{id}/restore/",
        "GET /api/v2/entries/",
        "POST /api/v2/entries/",
        "POST /api/v2/entries/bulk/",
        "POST /api/v2/exports/",
        "POST /api/v2/imports/",
        "GET /api/v2/entries/{id}/",
        "PATCH /api/v2/entries/{id}/",
        "DELETE /api/v2/entries/{id}/",
        "POST /api/v2/entries/{id}/restore/",
        "POST /api/v2/entries/{id}/revert/",
        "GET /api/v2/entries/{id}/history/",
        "GET /api/v2/entities/{id}/history/",
        "GET /api/v2/entities/{id}/deletion/",
        "GET /api/v2/entities/{id}/removed-attributes/",
        "POST /api/v2/entities/{id}/restore-attribute/",
        "POST /api/v2/entities/{id}/preview/",
        "POST /api/v2/entities/{id}/convert/",
        "GET /api/v2/entries/{id}/references/",
        "GET /api/v2/entries/{id}/graph/",
        "POST /api/v2/search/",
        "GET /api/v2/search/saved/",
        "POST /api/v2/search/saved/",
        "GET /api/v2/search/saved/{id}/",
        "PUT /api/v2/search/saved/{id}/",
        "DELETE /api/v2/search/saved/{id}/",
        "POST /api/v2/search/saved/{id}/run/",
        "GET /api/v2/me/",
        "POST /api/v2/me/password/",
        "GET /api/v2/me/tokens/",
        "POST /api/v2/me/tokens/",
        "DELETE /api/v2/me/tokens/{id}/",
        "GET /api/v2/users/",
        "POST /api/v2/users/",
        "GET /api/v2/groups/",
        "POST /api/v2/groups/",
        "GET /api/v2/roles/",
        "POST /api/v2/roles/",
        "GET /api/v2/users/{id}/",
        "GET /api/v2/users/{id}/access/",
        "PUT /api/v2/users/{id}/",
        "PATCH /api/v2/users/{id}/",
        "DELETE /api/v2/users/{id}/",
        "GET /api/v2/groups/{id}/",
        "PUT /api/v2/groups/{id}/",
        "PATCH /api/v2/groups/{id}/",
        "DELETE /api/v2/groups/{id}/",
        "GET /api/v2/roles/{id}/",
        "PUT /api/v2/roles/{id}/",
        "PATCH /api/v2/roles/{id}/",
        "DELETE /api/v2/roles/{id}/",
        "GET /api/v2/audit/",
        "GET /api/v2/audit/{id}/",
        "GET /api/v2/audit/export/",
        "GET /api/v2/tokens/",
        "GET /api/v2/tokens/{id}/",
        "DELETE /api/v2/tokens/{id}/",
        "GET /api/v2/jobs/",
        "POST /api/v2/jobs/",
        "GET /api/v2/jobs/{id}/",
        "POST /api/v2/jobs/canary/",
        "POST /api/v2/jobs/{id}/cancel/",
        "POST /api/v2/jobs/{id}/retry/",
        "GET /api/v2/jobs/{id}/log/",
        "GET /api/v2/jobs/{id}/file/",
        "GET /api/v2/plugins/",
        "GET /api/v2/plugins/health/",
        "GET /api/v2/plugins/{name}/",
        "GET /api/v2/plugins/{name}/about/",
        "GET /api/v2/breakers/{plugin}/",
        "POST /api/v2/breakers/{plugin}/{surface}/retry/",
        "GET /api/v2/switches/",
        "PUT /api/v2/switches/{plugin}/{switch}/",
        "DELETE /api/v2/switches/{plugin}/{switch}/",
        "GET /api/v2/processes/",
    }


def test_generating_it_warns_of_nothing(anonymous: Any) -> None:
    GENERATOR_STATS.reset()
    schema_of(anonymous)

    assert not GENERATOR_STATS, (GENERATOR_STATS._warn_cache, GENERATOR_STATS._error_cache)


def test_lists_tell_their_parameters(schema: dict[str, Any]) -> None:
    paths = schema["paths"]

    def parameters(path: str) -> set[str]:
        return {parameter["name"] for parameter in paths[path]["get"]["parameters"]}

    assert {name for name in parameters("/api/v2/entries/") if "__" not in name} == {
        *("entity", "search", "is_active", "limit", "offset", "cursor", "ordering", "fields", "at"),
        *OWN_FIELDS,
        "attr",
    }
    tests = {name.split("__")[1] for name in parameters("/api/v2/entries/") if name.startswith("name__")}
    assert {"eq", *tests} == set(OPERATORS)
    assert {"id__regex", "created_time__contains"}.isdisjoint(parameters("/api/v2/entries/"))
    assert parameters("/api/v2/jobs/") == {
        *("plugin", "operation", "status", "user", "created_after", "created_before", "hidden", "request_id"),
        *("limit", "cursor"),
    }


def test_endpoints_of_plugins_are_in_it(anonymous: Any, serve: Callable[..., None]) -> None:
    serve(Good())

    assert {"get", "post"} <= set(schema_of(anonymous)["paths"]["/api/v2/plugins/good/things/"])


def test_view_of_a_plugin_tells_its_pages_and_statuses(anonymous: Any, serve: Callable[..., None]) -> None:
    serve(Good())

    shelves = schema_of(anonymous)["paths"]["/api/v2/plugins/good/shelves/"]

    page = shelves["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert page == {"$ref": "#/components/schemas/PaginatedShelfList"}
    bounds = {each["name"]: each["schema"]["minimum"] for each in shelves["get"]["parameters"]}
    assert bounds == {"limit": 1, "offset": 0}
    assert {status for status in shelves["post"]["responses"] if status < "400"} == {"202"}


@pytest.mark.parametrize(
    ("component", "right", "wrong"),
    [
        ("EntryCreateRequest", {"name": "a", "schema": 1}, {"name": "a"}),
        ("EntryCreateRequest", {"name": "a", "entity": "Host"}, {"name": "a", "schema": 1, "entity": 1}),
        ("RevertRequest", {"version": 1}, {"version": 1, "at": "2026-01-01T00:00:00Z"}),
        (
            "NewTokenRequest",
            {"name": "a", "lifetime": None},
            {"name": "a", "lifetime": None, "expires_time": None},
        ),
        ("AttributeSpec", {"name": "a", "type": "text"}, {"name": "a"}),
        ("AttributeSpec", {"id": 1, "is_deleted": True}, {"id": 1, "colour": "red"}),
        ("Condition", {"and": [{"field": "name", "value": "a"}]}, {}),
        ("Condition", {"not": {"field": "attr.a", "op": "empty"}}, {"field": "name", "not": {"and": []}}),
    ],
)
def test_what_is_refused_is_refused_in_the_schema(
    schema: dict[str, Any], component: str, right: Any, wrong: Any
) -> None:
    schemas = schema["components"]["schemas"]
    validator = Draft202012Validator({**schemas[component], "components": {"schemas": schemas}})
    assert not list(validator.iter_errors(right))
    assert list(validator.iter_errors(wrong))


def test_view_that_can_not_be_described_costs_itself_alone(
    anonymous: Any, serve: Callable[..., None]
) -> None:
    serve(Odd(), Good())

    schema = schema_of(anonymous)

    validate_schema(schema)  # type: ignore[no-untyped-call]
    paths = schema["paths"]
    assert "/api/v2/plugins/odd/fine/" in paths
    assert "/api/v2/plugins/good/things/" in paths
    assert "/api/v2/entries/" in paths
    assert "/api/v2/plugins/odd/serializer/" not in paths
    assert "/api/v2/plugins/odd/constructor/" not in paths


def test_swagger_ui_asks_no_other_host(anonymous: Any) -> None:
    page = anonymous.get("/api/v2/docs/").content.decode()

    assert "swagger-ui" in page
    assert "://" not in page.replace("http://testserver", "").replace("http://www.w3.org", "")
    assets = [part.partition('"')[0] for part in page.split('"/static/')[1:]]
    assert assets
    for asset in assets:
        with closing(anonymous.get(f"/static/{asset}")) as response:
            assert response.status_code == 200


def test_the_file_in_docs_is_what_is_served(schema: dict[str, Any]) -> None:
    committed = json.loads((Path(__file__).parents[3] / "docs/openapi.json").read_text(encoding="utf-8"))
    assert schema == committed, "docs/openapi.json is stale: run `make openapi` and commit it"


def test_each_operation_tells_its_errors_and_headers(schema: dict[str, Any]) -> None:
    assert schema["openapi"].startswith("3.1")
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert {"400", "401", "403", "429", "500", "503"} <= set(operation["responses"]), (method, path)
            headers = {each.get("$ref", "").rpartition("/")[2] for each in operation.get("parameters", [])}
            is_open = method == "post" and not path.startswith(("/api/v2/auth/", "/api/v2/me/"))
            assert ("IdempotencyKey" in headers) == is_open, (method, path)
    patch = schema["paths"]["/api/v2/entries/{id}/"]["patch"]
    assert {"404", "409", "412", "413", "415"} <= set(patch["responses"])
    assert {"$ref": "#/components/parameters/IfMatch"} in patch["parameters"]
    for path in ("revert", "restore", "restore-attribute", "convert"):
        kind = "entries" if path == "revert" else "entities"
        operation = schema["paths"][f"/api/v2/{kind}/{{id}}/{path}/"]["post"]
        assert {"$ref": "#/components/parameters/IfMatch"} in operation["parameters"], path
        assert "412" in operation["responses"], path
    assert schema["components"]["responses"]["Error409"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Error"
    }


def test_unknown_fields_are_refused_in_the_schema_as_in_fact(schema: dict[str, Any]) -> None:
    schemas = schema["components"]["schemas"]
    for name in ("EntryCreateRequest", "EntityCreateRequest", "RoleRequest", "AccountRequest"):
        assert schemas[name]["additionalProperties"] is False, name


def test_what_is_shown_of_values_is_of_one_type_in_the_schema(api: Any) -> None:
    schemas = schema_of(api)["components"]["schemas"]
    attrs = [
        {"name": name, "type": name, **({"choices": ["a"]} if "select" in name else {})} for name in TYPES
    ]
    assert api.post("/api/v2/entities/", {"name": "All", "attrs": attrs}).status_code == 201
    target = api.post("/api/v2/entries/", {"name": "t", "schema": "All"}).json()
    values = {"object": target["id"], "named_object": {"name": "n", "object": target["id"]}, "number": 1.5}
    values |= {
        "date": "2026-01-02",
        "array_datetime": ["2026-01-02T03:04:05Z"],
        "array_object": [target["id"]],
    }
    shown = api.post("/api/v2/entries/", {"name": "x", "schema": "All", "attrs": values})
    assert shown.status_code == 201, shown.json()

    validator = Draft202012Validator({**schemas["AttrInfo"], "components": {"schemas": schemas}})
    for info in (*target["attrs"], *shown.json()["attrs"]):
        assert not list(validator.iter_errors(info)), info
    assert {info["type"] for info in target["attrs"]} == set(TYPES)
    assert list(validator.iter_errors(info | {"value": {}}))

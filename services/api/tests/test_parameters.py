"""Query parameters that nobody reads are refused, wherever they are sent."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest

from pagoda.domain.search.filters import OWN_FIELDS

pytestmark = pytest.mark.django_db

JSON = "application/vnd.oai.openapi+json"
NOBODY = "nobody_reads_me"
PARTS = {"plugin": "hello", "surface": "hook", "switch": "dry_run", "name": "hello"}


def operations(client: Any) -> list[tuple[str, str, dict[str, Any]]]:
    paths = client.get("/api/v2/schema/", HTTP_ACCEPT=JSON).json()["paths"]
    return [(path, method, each) for path, methods in paths.items() for method, each in methods.items()]


def send(client: Any, method: str, path: str, query: str) -> Any:
    filled = re.sub(r"\{(\w+)\}", lambda part: PARTS.get(part[1], "1"), path)
    return getattr(client, method)(f"{filled}?{query}")


def unknown_in(answer: Any) -> set[str]:
    """Return the parameters that an answer says there are none of."""
    faults = answer.json()["errors"].items()
    return {name for name, told in faults if told[0].startswith("There is no query parameter")}


def test_each_operation_refuses_what_nobody_reads(superuser_api: Any) -> None:
    for path, method, _ in operations(superuser_api):
        answer = send(superuser_api, method, path, f"{NOBODY}=1")
        assert answer.status_code == 400, (method, path, answer.status_code)
        assert unknown_in(answer) == {NOBODY}, (method, path)


def test_each_operation_reads_what_the_schema_tells(superuser_api: Any) -> None:
    for path, method, operation in operations(superuser_api):
        for each in operation.get("parameters", ()):
            if each.get("in") != "query":
                continue
            name = "attr.x" if each["schema"].get("type") == "object" else each["name"]
            answer = send(superuser_api, method, path, f"{name}=1&{NOBODY}=1")
            assert answer.status_code == 400, (method, path, name)
            assert name not in unknown_in(answer), (method, path, name)


def test_conditions_are_taken_as_the_schema_tells(superuser_api: Any, web: Any) -> None:
    [list_entries] = [
        each
        for path, method, each in operations(superuser_api)
        if path == "/api/v2/entries/" and method == "get"
    ]
    of_type = {
        "number": "1",
        "boolean": "true",
        "date-time": "2026-01-02T03:04:05Z",
        "string": "web",
        "regex": "w.b",
    }
    for each in list_entries["parameters"]:
        field, _, operator = each["name"].partition("__")
        if field not in OWN_FIELDS:
            continue
        schema = each["schema"]
        kind = (
            "date-time"
            if field.endswith("time") and operator == "in"
            else schema.get("format", schema["type"])
        )
        value = "1" if (field, operator) == ("id", "in") else of_type[kind]
        answer = superuser_api.get("/api/v2/entries/", {each["name"]: value})
        assert answer.status_code == 200, (each["name"], answer.json())
    [of_attributes] = [each for each in list_entries["parameters"] if each["name"] == "attr"]
    assert (of_attributes["style"], of_attributes["explode"]) == ("form", True)
    assert superuser_api.get("/api/v2/entries/", {"attr.address__startswith": "10."}).json()["count"] == 1


def test_the_root_and_the_schema_refuse_it_and_options_do_not_ask(superuser_api: Any) -> None:
    for path in ("schema", "docs"):
        told = superuser_api.get(f"/api/v2/{path}/?{NOBODY}=1")
        assert (told.status_code, [*told.json()["errors"]]) == (400, [NOBODY]), path
        assert told.json()["errors"][NOBODY][0].startswith("There is no query parameter")
        refused = superuser_api.delete(f"/api/v2/{path}/")
        assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed"), path
        assert isinstance(refused.json()["detail"], str)
    unknown = superuser_api.get("/api/v2/schema/?format=zz")
    assert (unknown.status_code, [*unknown.json()["errors"]]) == (400, ["format"])
    assert unknown.json()["detail"] == "format: There is no format 'zz'. There are: json, yaml."
    assert superuser_api.get("/api/v2/schema/?format=json").status_code == 200
    assert superuser_api.head(f"/api/v2/me/?{NOBODY}=1").status_code == 400
    assert superuser_api.options(f"/api/v2/me/?{NOBODY}=1").status_code == 200
    assert superuser_api.put(f"/api/v2/me/?{NOBODY}=1").status_code == 405


def test_a_format_is_chosen_by_accept_alone(superuser_api: Any) -> None:
    for form in ("xml", "json"):
        answer = superuser_api.get(f"/api/v2/entries/?format={form}")
        assert (answer.status_code, unknown_in(answer)) == (400, {"format"})
    assert superuser_api.get("/api/v2/entries/", HTTP_ACCEPT="application/xml").status_code == 406


def test_each_operation_without_a_body_refuses_one(superuser_api: Any) -> None:
    bodiless = [each for each in operations(superuser_api) if "requestBody" not in each[2]]
    assert {method for _, method, _ in bodiless} == {"get", "post", "delete"}
    for path, method, _ in bodiless:
        filled = re.sub(r"\{(\w+)\}", lambda part: PARTS.get(part[1], "1"), path)
        for body, field in ((f'{{"{NOBODY}": 1}}', NOBODY), ("[1]", None), ("null", None)):
            answer = superuser_api.generic(method.upper(), filled, body, content_type="application/json")
            assert answer.status_code == 400, (method, path, body, answer.status_code)
            assert [*answer.json().get("errors", {})] == ([field] if field else []), (method, path, body)


def test_a_body_that_says_nothing_is_none(api: Any, web: Any) -> None:
    for body in ("", " ", "{}", " {} "):
        url = f"/api/v2/entries/{web.pk}/"
        for method, path, status in (
            ("DELETE", url, 204),
            ("POST", f"{url}restore/", 200),
            ("GET", url, 200),
        ):
            assert api.generic(method, path, body, content_type="application/json").status_code == status
    form = api.generic("POST", f"{url}restore/", "a=1", content_type="application/x-www-form-urlencoded")
    assert (form.status_code, form.json()["detail"]) == (400, "No body is read here; leave it out.")


@pytest.mark.parametrize("digits", ["\u0661", "\uff11", "1_0", "+1"])
def test_digits_are_ascii(superuser_api: Any, make_entity: Any, make_entry: Any, digits: str) -> None:
    make_entry(make_entity("Host", num="number"), "a", num=1)
    quoted = quote(digits)
    assert superuser_api.get("/api/v2/tokens/?user=1").status_code == 200
    for query in (f"tokens/?user={quoted}", f"entries/?attr.num__in={quote('1_0')},{quoted}"):
        if digits != "+1" or query.startswith("tokens"):
            assert superuser_api.get(f"/api/v2/{query}").status_code == 400, query
    for kind in ("entries", "entities", "jobs", "users", "audit", "me/tokens"):
        assert superuser_api.get(f"/api/v2/{kind}/{quoted}/").status_code == 404, kind


def test_who_is_not_logged_in_is_told_that_alone(anonymous: Any) -> None:
    assert anonymous.get(f"/api/v2/me/?{NOBODY}=1").status_code == 401


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=1&limit=2", "limit"),
        ("is_active=all&is_active=all", "is_active"),
        ("limit=1_0", "limit"),
        ("limit=%2B5", "limit"),
        ("limit=%D9%A3", "limit"),
        ("limit=", "limit"),
        ("offset=-1", "offset"),
        ("offset=99999999999999999999", "offset"),
        ("a%FF=1", "a�"),
    ],
)
def test_a_parameter_is_read_whole_or_refused(api: Any, query: str, parameter: str) -> None:
    for path in ("entities/", "entries/"):
        answer = api.get(f"/api/v2/{path}?{query}")
        assert (answer.status_code, [*answer.json()["errors"]]) == (400, [parameter]), path


def test_some_may_be_repeated(superuser_api: Any, web: Any) -> None:
    for path in ("audit/?action=entry.created&action=entry.deleted", "entries/?name__ne=a&name__ne=b"):
        assert len(superuser_api.get(f"/api/v2/{path}").json()["results"]) == 1, path

"""Query parameters that nobody reads are refused, wherever they are sent."""

from __future__ import annotations

import re
from typing import Any

import pytest

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
            answer = send(superuser_api, method, path, f"{each['name']}=1&{NOBODY}=1")
            assert answer.status_code == 400, (method, path, each["name"])
            assert each["name"] not in unknown_in(answer), (method, path)


def test_the_root_and_the_schema_refuse_it_and_options_do_not_ask(superuser_api: Any) -> None:
    assert superuser_api.get(f"/api/v2/schema/?{NOBODY}=1").status_code == 400
    assert superuser_api.get("/api/v2/schema/?format=json").status_code == 200
    assert superuser_api.head(f"/api/v2/me/?{NOBODY}=1").status_code == 400
    assert superuser_api.options(f"/api/v2/me/?{NOBODY}=1").status_code == 200
    assert superuser_api.put(f"/api/v2/me/?{NOBODY}=1").status_code == 405


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

"""Bodies within the limit that hold very many of something: a clear refusal, short and soon."""

from __future__ import annotations

import json
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any
from unittest.mock import patch

import pytest

pytestmark = pytest.mark.django_db

MANY = {f"usernam{number}": "" for number in range(110_000)}  # 2.4 MB, each close to a field


@pytest.fixture
def compared() -> Any:
    """Count the comparisons that near misses make."""
    with patch("pagoda_plugin_sdk.exceptions.get_close_matches", wraps=get_close_matches) as compared:
        yield compared


@pytest.fixture
def root(make_user: Callable[..., Any], client_of: Callable[..., Any]) -> Any:
    return client_of(make_user("root", is_superuser=True))


def refused(response: Any, *, status: int = 400) -> Any:
    assert response.status_code == status
    assert len(response.content) < 20_000
    return response.json()


BODIES: dict[str, tuple[str, str, Any]] = {
    "login": ("POST", "/api/v2/auth/login/", MANY),
    "token": ("POST", "/api/v2/auth/token/", MANY),
    "entity": ("POST", "/api/v2/entities/", {"name": "a"} | MANY),
    "entity of 30,000 attributes": (
        "POST",
        "/api/v2/entities/",
        {"name": "a", "attrs": [{"name": f"a{number}", "type": "string"} for number in range(30_000)]},
    ),
    "entity with attributes of unknown fields": (
        "POST",
        "/api/v2/entities/",
        {"name": "a", "attrs": [{"nam": f"a{number}", "typ": "x"} for number in range(30_000)]},
    ),
    "attribute with unknown fields": ("POST", "/api/v2/entities/", {"name": "a", "attrs": [MANY]}),
    "attribute with 200,000 choices": (
        "POST",
        "/api/v2/entities/",
        {
            "name": "a",
            "attrs": [{"name": "s", "type": "select", "choices": [*map(str, range(200_000))]}],
        },
    ),
    "attribute with 200,000 referrals": (
        "POST",
        "/api/v2/entities/",
        {"name": "a", "attrs": [{"name": "s", "type": "object", "referral": list(range(1, 200_000))}]},
    ),
    "entry": ("POST", "/api/v2/entries/", {"name": "a", "schema": "Host"} | MANY),
    "entry with unknown attributes": ("PATCH", "/api/v2/entries/{web}/", {"attrs": MANY}),
    "entry with unknown attributes in a list": (
        "PATCH",
        "/api/v2/entries/{web}/",
        {"attrs": [{"name": f"addres{number}", "value": ""} for number in range(60_000)]},
    ),
    "entry with 60,000 items that are none": ("PATCH", "/api/v2/entries/{web}/", {"attrs": [5] * 60_000}),
    "entry with unknown ids": (
        "PATCH",
        "/api/v2/entries/{web}/",
        {"attrs": [{"id": number, "value": ""} for number in range(10**6, 10**6 + 60_000)]},
    ),
    "200,000 references": ("PATCH", "/api/v2/entries/{web}/", {"attrs": {"peers": list(range(1, 200_001))}}),
    "200,000 texts": ("PATCH", "/api/v2/entries/{web}/", {"attrs": {"tags": ["x"] * 200_000}}),
    "a long key": ("POST", "/api/v2/auth/token/", {"username" * 300_000: ""}),
    "a long name of an entity": ("POST", "/api/v2/entries/", {"name": "a", "schema": "Host" * 600_000}),
    "canary": ("POST", "/api/v2/jobs/canary/", MANY),
}


@pytest.mark.parametrize("name", BODIES)
def test_very_many_are_refused_in_few_words(
    root: Any, make_entity: Any, make_entry: Any, compared: Any, name: str
) -> None:
    host = make_entity("Host", address="string", peers="array_object", tags="array_string")
    method, path, body = BODIES[name]
    web = make_entry(host, "web")
    response = root.generic(
        method, path.format(web=web.pk), json.dumps(body), content_type="application/json"
    )
    refused(response)
    assert compared.call_count <= 60


def test_the_first_of_them_are_named(root: Any) -> None:
    told = refused(root.post("/api/v2/auth/token/", MANY))
    assert told["usernam0"][0].startswith("There is no field 'usernam0'. Did you mean 'username'")
    assert told["detail"].startswith(f"usernam0: {told['usernam0'][0]} ")
    assert told["detail"].endswith(" And 109,980 more that are unknown.")
    assert len(told) == 23  # as many as are named, with ``code``, ``detail`` and ``errors``

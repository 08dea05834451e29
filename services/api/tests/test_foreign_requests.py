"""Whatever text or JSON a client sends, wherever it puts it: an answer in JSON, and none of them 5xx."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pagoda.domain.entity.models import Entity
from pagoda.jobs.testing import recording_publisher
from pagoda_plugin_sdk.rules.attr_types import TYPES
from tools.examples import examples
from tools.kept_rows import made_once

pytestmark = pytest.mark.django_db

SETTINGS = settings(
    max_examples=examples(15, quick=3),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""One database for all examples: a name that was taken before is refused, which is an answer."""

TEXTS = st.text(st.characters(codec=None, categories=None), max_size=40)  # halves of surrogate pairs, too
BAD_TEXTS = (
    "\x00",
    "a\ud800b",
    "\udcff",
    "\x1b[31m\r\n\x07",
    "\u202egpj.exe",
    "1" * 5_000,
    "",
    " ",
    "x" * 1_000_000,
)

DEEP = json.loads("[" * 400 + "]" * 400)
BAD_VALUES: tuple[Any, ...] = (
    float("nan"),
    float("inf"),
    -float("inf"),
    10**4_000,
    -(2**63) - 1,
    1e308,
    True,
    DEEP,
    {"": None},
    [[]],
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)

ENTITIES, ENTRIES, JOBS = "/api/v2/entities/", "/api/v2/entries/", "/api/v2/jobs/"

BODIES: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "name of an entity": ("post", ENTITIES, lambda value: {"name": value}),
    "note of an entity": ("post", ENTITIES, lambda value: {"name": "Noted", "note": value}),
    "name of an attribute": (
        "post",
        ENTITIES,
        lambda v: {"name": "E", "attrs": [{"name": v, "type": "string"}]},
    ),
    "type of an attribute": ("post", ENTITIES, lambda v: {"name": "E", "attrs": [{"name": "a", "type": v}]}),
    "choices of an attribute": (
        "post",
        ENTITIES,
        lambda v: {"name": "E", "attrs": [{"name": "a", "type": "select", "choices": [v]}]},
    ),
    "changed entity": ("patch", "{entity}", lambda value: {"name": value, "attrs": value}),
    "name of an entry": ("post", ENTRIES, lambda value: {"entity": "Host", "name": value}),
    "entity of an entry": ("post", ENTRIES, lambda value: {"entity": value, "name": "e"}),
    "attributes of an entry": ("post", ENTRIES, lambda v: {"entity": "Host", "name": "e", "attrs": v}),
    "key of an attribute": ("patch", "{entry}", lambda v: {"attrs": {v if isinstance(v, str) else "k": 1}}),
    "note of an entry": ("patch", "{entry}", lambda value: {"note": value}),
    "user who logs in": ("post", "/api/v2/auth/token/", lambda v: {"username": v, "password": "p"}),
    "password": ("post", "/api/v2/auth/login/", lambda v: {"username": "ann", "password": v}),
    "queue of a canary": ("post", f"{JOBS}canary/", lambda value: {"queue": value}),
    "whole body": ("post", ENTRIES, lambda value: value),
} | {
    f"value of type {name}": ("patch", "{entry}", lambda value, name=name: {"attrs": {name: value}})
    for name in TYPES
}

QUERIES = (
    *(
        f"{JOBS}?{name}="
        for name in ("plugin", "operation", "status", "user", "created_after", "hidden", "page")
    ),
    *(f"{ENTRIES}?{name}=" for name in ("entity", "name", "is_active", "page", "page_size")),
    *(f"{ENTITIES}?{name}=" for name in ("name", "is_active", "page")),
    "/api/v2/plugins/health/?plugin=",
)
PATHS = (JOBS, ENTRIES, ENTITIES, "/api/v2/plugins/", "/api/v2/")


@pytest.fixture
def root(make_user: Callable[..., Any], client_of: Callable[..., Any]) -> Iterator[Any]:
    with recording_publisher():
        yield client_of(make_user("root", is_superuser=True))


@pytest.fixture
def places(db: None, make_entry: Callable[..., Any]) -> dict[str, str]:
    """An entity with an attribute of each type, and an entry of it."""
    return made_once(make_places, make_entry)


def make_places(make_entry: Callable[..., Any]) -> dict[str, str]:
    attrs = [
        {"name": name, "type": name} | ({"choices": ["one"]} if name.endswith("select") else {})
        for name in TYPES
    ]
    host = Entity.objects.create_entity(user=None, name="Host", attrs=attrs)
    return {"entity": f"{ENTITIES}{host.pk}/", "entry": f"{ENTRIES}{make_entry(host, 'web').pk}/"}


def assert_answered(response: Any) -> None:
    content = response.content.decode()
    assert response.status_code < 500, content[:2_000]
    assert response.status_code < 400 or len(content) < 20_000, f"a refusal of {len(content)} characters"
    if content:
        json.loads(content, parse_constant=lambda word: pytest.fail(f"{word} in an answer"))


def send(client: Any, method: str, url: str, body: Any) -> None:
    try:
        content = json.dumps(body)
    except ValueError:  # an integer of more digits than Python prints
        return
    assert_answered(getattr(client, method)(url, content, content_type="application/json"))


@pytest.mark.parametrize("place", BODIES)
def test_in_a_body(root: Any, places: dict[str, str], place: str) -> None:
    method, url, body = BODIES[place]

    @SETTINGS
    @given(TEXTS | VALUES)
    def try_out(value: Any) -> None:
        send(root, method, url.format(**places), body(value))

    for value in (*BAD_TEXTS, *BAD_VALUES):
        try_out = example(value)(try_out)
    try_out()
    for page in (ENTITIES, f"{ENTRIES}?page_size=100", *places.values()):
        assert_answered(root.get(page))


@pytest.mark.parametrize("query", QUERIES)
def test_in_a_query(root: Any, places: dict[str, str], query: str) -> None:
    @SETTINGS
    @given(TEXTS)
    @example("\x00")
    @example("\udcff")
    @example("9" * 5_000)
    def try_out(text: str) -> None:
        assert_answered(root.get(query + quote(text, errors="surrogatepass")))

    try_out()


@pytest.mark.parametrize("folder", PATHS)
def test_in_a_path(root: Any, places: dict[str, str], folder: str) -> None:
    @SETTINGS
    @given(TEXTS.filter(lambda text: text.strip("./")))
    @example("\x00")
    @example("9" * 500)
    def try_out(text: str) -> None:
        assert_answered(root.get(f"{folder}{quote(text, safe='', errors='surrogatepass')}/"))

    try_out()


def test_in_a_header(root: Any, places: dict[str, str]) -> None:
    @SETTINGS
    @given(st.text(st.characters(max_codepoint=255), max_size=300))
    @example("x" * 8_000)
    def try_out(text: str) -> None:
        headers = {"HTTP_X_REQUEST_ID": text, "HTTP_USER_AGENT": text, "HTTP_ACCEPT_LANGUAGE": text}
        assert_answered(root.get(ENTITIES, **headers))
        assert_answered(root.patch(places["entry"], {"note": "n"}, format="json", **headers))

    try_out()

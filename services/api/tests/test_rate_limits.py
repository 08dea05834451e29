"""Rate limits: counted per user, token, and user of a plugin; told on every answer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pytest_django import Settings as SettingsWrapper

pytestmark = pytest.mark.django_db

URL = "/api/v2/entities/"


@pytest.fixture
def limit(settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set rate limits; time stands still, so that no window ends inside of a test."""
    monkeypatch.setattr("pagoda.rates.limits.time.time", lambda: 1_800_000_010.0)

    def set_limits(**rates: str) -> None:
        update = {f"rate_limit_{name}": rate for name, rate in rates.items()}
        settings.PAGODA = settings.PAGODA.model_copy(update=update)

    return set_limits


def test_nothing_is_counted_unless_set(api: Any) -> None:
    assert "X-RateLimit-Limit" not in api.get(URL).headers


def test_a_user_is_refused_beyond_the_limit_with_whatever_token(
    ann: Any, client_of: Callable[..., Any], make_user: Any, limit: Any
) -> None:
    limit(user="3/min")
    first, second = client_of(ann), client_of(ann)
    left = [client.get(URL).headers["X-RateLimit-Remaining"] for client in (first, second, first)]
    assert left == ["2", "1", "0"]
    refused = second.get(URL)
    assert refused.status_code == 429
    assert refused.json()["code"] == "rate_limited"
    assert {
        name: refused.headers[name] for name in ("Retry-After", "X-RateLimit-Limit", "X-RateLimit-Reset")
    } == {
        "Retry-After": "50",
        "X-RateLimit-Limit": "3",
        "X-RateLimit-Reset": "50",
    }
    assert client_of(make_user("bob")).get(URL).status_code == 200


def test_a_new_window_counts_anew(api: Any, limit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(user="1/min")
    assert [api.get(URL).status_code for _ in range(2)] == [200, 429]
    monkeypatch.setattr("pagoda.rates.limits.time.time", lambda: 1_800_000_070.0)
    assert api.get(URL).status_code == 200


def test_each_token_has_its_own_count(ann: Any, client_of: Callable[..., Any], limit: Any) -> None:
    limit(token="1/h")
    first, second = client_of(ann), client_of(ann)
    assert [client.get(URL).status_code for client in (first, second, first)] == [200, 200, 429]


def test_who_is_not_logged_in_is_counted_by_address(anonymous: Any, limit: Any) -> None:
    limit(user="2/min")
    wrong = {"username": "ann", "password": "no"}
    codes = [anonymous.post("/api/v2/auth/token/", wrong).status_code for _ in range(3)]
    assert codes == [401, 401, 429]
    other = anonymous.post("/api/v2/auth/token/", wrong, REMOTE_ADDR="192.0.2.7")
    assert other.status_code == 401


def test_probes_are_never_refused(anonymous: Any, limit: Any) -> None:
    limit(user="1/min")
    assert [anonymous.get("/healthz").status_code for _ in range(3)] == [200] * 3


def test_a_plugin_s_endpoints_have_a_limit_of_their_own(
    api: Any, limit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pagoda_api.middleware._plugin", lambda path: "shop" if "/shop/" in path else None)
    limit(plugin_user="1/min")
    codes = [api.get("/api/v2/plugins/shop/x/").status_code for _ in range(2)]
    assert codes == [404, 429]
    assert api.get(URL).status_code == 200


def test_the_tightest_limit_is_told(api: Any, limit: Any) -> None:
    limit(user="100/min", token="2/min")
    assert api.get(URL).headers["X-RateLimit-Limit"] == "2"


def test_a_counter_that_does_not_answer_turns_nobody_away(
    api: Any, limit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pagoda.rates.counters import CounterUnavailable, DatabaseCounter

    def fail(*_: Any) -> None:
        raise CounterUnavailable("gone")

    limit(user="1/min")
    monkeypatch.setattr(DatabaseCounter, "count", fail)
    assert [api.get(URL).status_code for _ in range(2)] == [200, 200]


@pytest.mark.django_db(transaction=True)
def test_counting_is_atomic() -> None:
    from django.db import connections

    from pagoda.rates.counters import DatabaseCounter, Slot

    def count(_: int) -> int:
        try:
            return DatabaseCounter().count([Slot(key="user:1", ends_at=60)])["user:1"]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(count, range(40))) == list(range(1, 41))


@pytest.mark.parametrize(("depth", "status"), [(64, 400), (65, 400), (5000, 400)])
def test_json_that_is_nested_too_deeply_is_refused(api: Any, depth: int, status: int) -> None:
    body = "[" * depth + "]" * depth
    response = api.generic("POST", URL, body, content_type="application/json")
    assert response.status_code == status
    assert ("too deeply nested" in response.content.decode()) == (depth > 64)

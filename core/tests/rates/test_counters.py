"""Counting in a real Redis; in the database it is tested with the API."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.cache import caches
from django.test.utils import override_settings

from pagoda.config.rates import Rate, check_rate, parse_rate
from pagoda.rates.counters import CounterUnavailable, DatabaseCounter, RedisCounter, Slot
from pagoda.rates.limits import judge
from pagoda.rates.models import RateCount


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[object]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    from tools.servers import RedisServer

    server = RedisServer(tmp_path / "redis")
    server.start()
    backend = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": server.url}
    with override_settings(CACHES={"default": backend}):
        yield server
        caches["default"].close()
    server.stop()


@pytest.mark.usefixtures("redis_server")
def test_redis_counts_each_slot_atomically_and_forgets_old_windows() -> None:
    counter, ends_at = RedisCounter(), int(time.time()) + 60
    slots = [Slot(key="user:1", ends_at=ends_at), Slot(key="token:7", ends_at=ends_at)]
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: counter.count(slots)["user:1"], range(40)))
    assert sorted(counts) == list(range(1, 41))
    assert counter.count([Slot(key="user:1", ends_at=ends_at + 60)]) == {"user:1": 1}
    client = caches["default"]._cache.get_client()  # type: ignore[attr-defined]
    assert 0 < client.ttl(f"pagoda:rate:{ends_at}:user:1") <= 62


@pytest.mark.usefixtures("redis_server")
def test_what_is_no_count_is_dropped_and_harms_no_other() -> None:
    ends_at = int(time.time()) + 60
    client = caches["default"]._cache.get_client()  # type: ignore[attr-defined]
    keys = ["text", "list", "huge", "negative", "good"]
    name = {key: f"pagoda:rate:{ends_at}:{key}" for key in keys}
    client.set(name["text"], "many")
    client.rpush(name["list"], "x")
    client.set(name["huge"], 2**63 - 1)
    client.set(name["negative"], -(10**9))
    client.set(name["good"], 4)
    counts = RedisCounter().count([Slot(key=key, ends_at=ends_at) for key in keys])
    assert counts == {"text": 1, "list": 1, "huge": 1, "negative": 1, "good": 5}
    assert all(client.ttl(name[key]) > 0 for key in keys)


@pytest.mark.django_db
@pytest.mark.parametrize("forged", [-(10**9), 2**63 - 1])
def test_the_table_s_count_is_one_of_ours(forged: int) -> None:
    slot = Slot(key="user:1", ends_at=60)
    RateCount.objects.create(key="user:1", window=60, count=forged)
    assert DatabaseCounter().count([slot]) == {"user:1": 1}
    assert DatabaseCounter().count([slot]) == {"user:1": 2}


def test_a_redis_that_is_away_turns_nobody_away(redis_server: object) -> None:
    redis_server.stop()  # type: ignore[attr-defined]
    with pytest.raises(CounterUnavailable):
        RedisCounter().count([Slot(key="user:1", ends_at=60)])
    assert judge(RedisCounter(), {"user": ("1", Rate(limit=1, seconds=60))}) is None


@pytest.mark.parametrize(("text", "rate"), [("5/s", (5, 1)), ("600/min", (600, 60)), ("9/h", (9, 3600))])
def test_rates(text: str, rate: tuple[int, int]) -> None:
    found = parse_rate(text)
    assert (found.limit, found.seconds) == rate


@pytest.mark.parametrize("text", ["600", "0/min", "5/day", "-1/s", "5 / min", ""])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number per s, min or h"):
        check_rate(text)


class Fixed:
    """Has counted so many requests of everybody, or of each by name; keeps the slots it was asked for."""

    def __init__(self, count: int | dict[str, int]) -> None:
        self.number = count
        self.slots: list[Slot] = []

    def count(self, slots: Sequence[Slot]) -> dict[str, int]:
        self.slots += slots
        by_key = (
            self.number
            if isinstance(self.number, dict)
            else dict.fromkeys((s.key for s in slots), self.number)
        )
        return {slot.key: by_key[slot.key] for slot in slots}


@pytest.mark.parametrize(
    ("count", "remaining", "is_exceeded"), [(1, 2, False), (2, 1, False), (3, 0, False), (4, 0, True)]
)
def test_the_last_allowed_request_passes_and_the_next_does_not(
    count: int, remaining: int, is_exceeded: bool
) -> None:
    verdict = judge(Fixed(count), {"user": ("1", Rate(limit=3, seconds=60))})

    assert verdict is not None
    assert (verdict.remaining, verdict.is_exceeded) == (remaining, is_exceeded)


def test_each_scope_and_caller_has_a_slot_that_ends_with_its_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pagoda.rates.limits.time.time", lambda: 130.4)
    counter = Fixed(1)

    verdict = judge(
        counter, {"user": ("1", Rate(limit=3, seconds=60)), "token": ("7", Rate(limit=9, seconds=1))}
    )

    assert counter.slots == [Slot(key="user:1", ends_at=180), Slot(key="token:7", ends_at=131)]
    assert verdict is not None
    assert (verdict.scope, verdict.limit, verdict.reset_seconds) == ("user", 3, 50)


def test_a_window_that_is_almost_over_resets_in_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pagoda.rates.limits.time.time", lambda: 179.9)

    verdict = judge(Fixed(1), {"user": ("1", Rate(limit=3, seconds=60))})

    assert verdict is not None
    assert verdict.reset_seconds == 1


@pytest.mark.parametrize(
    ("counts", "tightest"),
    [
        ({"user:1": 2, "token:7": 2}, "token"),  # fewer are left
        ({"user:1": 11, "token:7": 3}, "user"),  # exceeded, where the other has none left
        ({"user:1": 11, "token:7": 4}, "user"),  # both are exceeded: the longer wait
    ],
)
def test_the_verdict_is_that_of_the_tightest_scope(
    monkeypatch: pytest.MonkeyPatch, counts: dict[str, int], tightest: str
) -> None:
    monkeypatch.setattr("pagoda.rates.limits.time.time", lambda: 0.0)
    scopes = {"token": ("7", Rate(limit=3, seconds=1)), "user": ("1", Rate(limit=10, seconds=3600))}

    verdict = judge(Fixed(counts), scopes)

    assert verdict is not None
    assert verdict.scope == tightest

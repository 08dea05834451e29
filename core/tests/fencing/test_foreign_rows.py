"""Rows that other processes wrote: the next release's, and what a plugin's code left there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.cache import caches
from django.db import connection
from structlog.testing import capture_logs

from pagoda.config.django import CACHE_OPTIONS
from pagoda.fencing.breaker import CircuitBreaker
from pagoda.fencing.foreign_rows import row_dropped
from pagoda.fencing.policy import Policy
from pagoda.fencing.rows import READER, Row
from pagoda.fencing.store import DatabaseStore, RedisStore
from tools.servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)

NOW = 1_000_000.0
COOLDOWN = 30.0
OPEN = Row(
    plugin="bad", surface="hook", status="open", since=NOW, window=NOW, retry_at=NOW + COOLDOWN, version=3
)

NEXT_RELEASE = """
import json, sys, redis
rows = json.loads(sys.argv[2])
client = redis.Redis.from_url(sys.argv[1])
for key, row in rows.items():
    client.set(key, json.dumps(row | {"a_field_of_the_next_release": 1, "another": {"deep": [None]}}))
"""


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    server = RedisServer(Path(tmp_path_factory.mktemp("redis")))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(settings: Any, redis_server: RedisServer) -> redis.Redis:
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {
        "default": {"BACKEND": backend, "LOCATION": redis_server.url, "OPTIONS": CACHE_OPTIONS}
    }
    caches["default"].clear()
    return redis.Redis.from_url(redis_server.url)


@pytest.fixture(autouse=True)
def dropped() -> Iterator[list[str]]:
    found: list[str] = []

    def note(*, table: str, key: str, **_: Any) -> None:
        found.append(f"{table} {key}")

    READER._told.clear()
    row_dropped.connect(note)
    yield found
    row_dropped.disconnect(note)


def breaker(store: Any = None, now: float = NOW) -> CircuitBreaker:
    store = store or RedisStore(lambda: ["bad", "good"])
    return CircuitBreaker(store, Policy(consecutive_failures=1, cooldown_seconds=COOLDOWN), lambda: now)


def as_json(row: Row, **changes: Any) -> str:
    return json.dumps(asdict(row) | changes)


def test_the_next_release_writes_beside_this_one(client: redis.Redis, redis_server: RedisServer) -> None:
    rows = {RedisStore.key_of(OPEN.key): asdict(OPEN)}
    subprocess.run([sys.executable, "-c", NEXT_RELEASE, redis_server.url, json.dumps(rows)], check=True)
    process = breaker()
    process.refresh()
    assert RedisStore(lambda: ["bad"]).read_all() == {OPEN.key: OPEN}
    assert not process.admits("bad", "hook")
    assert process.admits("good", "hook")
    later = breaker(now=NOW + COOLDOWN + 1)
    later.refresh()
    assert later.admits("bad", "hook")  # it probes, and stores that
    assert json.loads(client.get(RedisStore.key_of(OPEN.key)) or b"")["status"] == "half_open"


def test_the_next_release_has_a_column_more() -> None:
    DatabaseStore().swap(replace(OPEN, version=0), replace(OPEN, version=0))
    table = DatabaseStore()._rows().model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} ADD COLUMN a_field_of_the_next_release integer DEFAULT 1")
        try:
            process = breaker(DatabaseStore())
            process.refresh()
            assert not process.admits("bad", "hook")
        finally:
            cursor.execute(f"ALTER TABLE {table} DROP COLUMN a_field_of_the_next_release")


UNREADABLE: dict[str, Callable[[redis.Redis, str], Any]] = {
    "no JSON": lambda client, key: client.set(key, "{"),
    "nothing but bytes": lambda client, key: client.set(key, b"\xff\xfe"),
    "deep": lambda client, key: client.set(key, '{"a":' + "[" * 20_000),
    "no object": lambda client, key: client.set(key, "7"),
    "long": lambda client, key: client.set(key, as_json(OPEN, x="x" * 300_000)),
    "NaN": lambda client, key: client.set(key, as_json(OPEN, retry_at=float("nan"))),
    "infinite": lambda client, key: client.set(key, as_json(OPEN, retry_at=float("inf"))),
    "negative": lambda client, key: client.set(key, as_json(OPEN, failures=-1)),
    "text": lambda client, key: client.set(key, as_json(OPEN, failures="many")),
    "no version": lambda client, key: client.set(key, as_json(OPEN, version=None)),
    "status": lambda client, key: client.set(key, as_json(OPEN, status="ajar")),
    "streaks": lambda client, key: client.set(key, as_json(OPEN, streaks=["a"])),
    "a list": lambda client, key: client.rpush(key, "x"),
    "a hash": lambda client, key: client.hset(key, "x", "y"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_is_no_row_is_dropped_once_and_written_over(
    kind: str, client: redis.Redis, dropped: list[str]
) -> None:
    key = RedisStore.key_of(OPEN.key)
    UNREADABLE[kind](client, key)
    good = replace(OPEN, plugin="good")
    client.set(RedisStore.key_of(good.key), as_json(good))
    process = breaker()
    with capture_logs() as lines:
        for _ in range(3):
            assert [state.plugin for state in process.states()] == ["good"]
    assert process.admits("bad", "hook")
    assert not process.admits("good", "hook")
    assert [line["key"] for line in lines if line["event"] == "shared_row_dropped"] == [key]
    assert dropped == [f"breaker {key}"]
    process.fail("bad", "hook", "handler", "oops")  # its own row is of use again
    assert RedisStore(lambda: ["bad"]).read_all()[OPEN.key].status == "open"


@pytest.mark.parametrize(
    ("since", "retry_at", "out_for"),
    [
        (NOW, NOW + 1e9, 30),
        (NOW, 1e300, 30),
        (1e300, 1e300, 0),
        (NOW + 20, NOW + 1e9, 50),
        (NOW - 50, 1e300, 0),
    ],
)
def test_a_surface_is_out_of_service_for_the_cool_down_at_most(
    client: redis.Redis, since: float, retry_at: float, out_for: float
) -> None:
    client.set(RedisStore.key_of(OPEN.key), as_json(OPEN, since=since, retry_at=retry_at, window=1e300))
    for age in (0, 29, 31, 49, 51):
        process = breaker(now=NOW + age)
        process._rows.refresh(at_once=True)
        row = process._rows[OPEN.key]
        assert (row.retry_at > NOW + age) == (age < out_for)
        assert process.states()[0].retry_at is not None


def test_a_lost_probe_of_a_stranger_is_lost_after_the_cool_down(client: redis.Redis) -> None:
    row = as_json(OPEN, status="half_open", holder="nobody", retry_at=1e300)
    client.set(RedisStore.key_of(OPEN.key), row)
    found = []
    for age in (29, 31):
        process = breaker(now=NOW + age)
        process.refresh()
        found.append(process.admits("bad", "hook"))
    assert found == [False, True]


def test_whose_row_it_is_is_told_by_its_key(client: redis.Redis) -> None:
    client.set(RedisStore.key_of(OPEN.key), as_json(OPEN, plugin="good", surface="task"))
    assert [row.key for row in RedisStore(lambda: ["bad", "good"]).read_all().values()] == [OPEN.key]


def test_counts_beyond_the_bound_count_as_the_bound(client: redis.Redis) -> None:
    client.set(RedisStore.key_of(OPEN.key), as_json(OPEN, failures=10**30, last_error="x" * 5000))
    row = RedisStore(lambda: ["bad"]).read_all()[OPEN.key]
    assert row.failures == 2**31 - 1
    assert len(row.last_error) <= 500


@pytest.mark.parametrize(
    "change", ["status = 'ajar'", "failures = -1", "since = -5", "surface = 'roof'", "streaks = '[1]'"]
)
def test_what_is_no_row_of_the_table_is_dropped_once(change: str, dropped: list[str]) -> None:
    store = DatabaseStore()
    for plugin in ("bad", "good"):
        fresh = replace(OPEN, plugin=plugin, version=0)
        assert store.swap(fresh, fresh)
    table = store._rows().model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {change} WHERE plugin = 'bad'")
    process = breaker(store)
    for _ in range(2):
        assert [state.plugin for state in process.states()] == ["good"]
    assert len(dropped) == 1
    process.fail("bad", "hook", "handler", "oops")
    assert {row.plugin: row.status for row in store.read_all().values()} == {"bad": "open", "good": "open"}

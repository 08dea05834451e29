"""The shared stores: the table, and a real Redis."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.db import transaction

from pagoda.config.django import CACHE_OPTIONS
from pagoda.fencing.rows import Row
from pagoda.fencing.store import DatabaseStore, RedisStore, Store, StoreDown, StoreUnavailable
from tools.servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)

ROW = Row(plugin="bad", surface="hook", streaks={"handler": 2}, since=1.5, last_error="oops", failures=2)


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    server = RedisServer(Path(tmp_path_factory.mktemp("redis")))
    server.start()
    yield server
    server.stop()


def use_redis(settings: Any, url: str) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": url,
            "OPTIONS": CACHE_OPTIONS,
        }
    }


@pytest.fixture(params=["database", "redis"])
def store(request: pytest.FixtureRequest, settings: Any) -> Store:
    if request.param == "database":
        return DatabaseStore()
    use_redis(settings, request.getfixturevalue("redis_server").url)
    caches["default"].clear()
    return RedisStore(lambda: ["bad"])


def test_what_was_put_in_comes_out(store: Store) -> None:
    assert store.read_all() == {}
    assert store.swap(ROW, ROW)
    assert store.read_all() == {ROW.key: replace(ROW, version=1)}


def test_only_one_of_two_changes_of_a_row_wins(store: Store) -> None:
    store.swap(ROW, ROW)
    stored = store.read_all()[ROW.key]
    assert store.swap(stored, replace(stored, status="open"))
    assert not store.swap(stored, replace(stored, status="half_open"))
    assert store.read_all()[ROW.key] == replace(stored, status="open", version=2)


def test_only_one_process_makes_the_row(store: Store) -> None:
    assert store.swap(ROW, ROW)
    assert not store.swap(ROW, replace(ROW, status="open"))
    assert store.read_all()[ROW.key].status == "closed"


@pytest.mark.parametrize("store", ["redis"], indirect=True)
def test_of_many_at_once_one_wins(store: Store) -> None:
    store.swap(ROW, ROW)
    stored = store.read_all()[ROW.key]
    barrier, won = threading.Barrier(4), []

    def change(number: int) -> None:
        barrier.wait()
        won.append(store.swap(stored, replace(stored, calls=number)))

    threads = [threading.Thread(target=change, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False, False, False, True]


def test_the_table_is_left_alone_inside_a_transaction() -> None:
    with transaction.atomic(), pytest.raises(StoreUnavailable, match="a transaction is open"):
        DatabaseStore().swap(ROW, ROW)
    assert DatabaseStore().read_all() == {}


def test_a_redis_that_is_not_there_is_said_so(settings: Any) -> None:
    use_redis(settings, "redis://127.0.0.1:9/0")
    with pytest.raises(StoreDown, match="ConnectionError"):
        RedisStore(lambda: ["bad"]).read_all()

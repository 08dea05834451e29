"""What a request may cost beside its view: counted, so that it is the same on every machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import redis

from pagoda_plugin_sdk.plugin import Plugin
from tools.migrated_host import put_tables

pytestmark = pytest.mark.bounds

PLUGINS = Path(__file__).parents[3] / "tests" / "fixtures" / "plugins"
REQUESTS = 60


class Faulty(Plugin):
    id = name = "faulty"
    api_v2_patterns = "routes_faulty"


@pytest.mark.django_db
class TestStatements:
    def test_an_anonymous_request_to_a_plugin_takes_none(
        self, anonymous: Any, serve: Callable[..., None], django_assert_num_queries: Callable[[int], Any]
    ) -> None:
        serve(Faulty())
        anonymous.get("/api/v2/plugins/faulty/fine/")  # the breakers' states are asked for once a second
        with django_assert_num_queries(0):
            assert anonymous.get("/api/v2/plugins/faulty/fine/").status_code == 200

    def test_one_with_a_token_that_was_just_used_takes_none(
        self, api: Any, serve: Callable[..., None], django_assert_num_queries: Callable[[int], Any]
    ) -> None:
        serve(Faulty())
        api.get("/api/v2/plugins/faulty/fine/")
        with django_assert_num_queries(0):
            assert api.get("/api/v2/plugins/faulty/fine/").status_code == 200

    def test_the_probe_of_the_process_takes_none(
        self, anonymous: Any, django_assert_num_queries: Callable[[int], Any]
    ) -> None:
        with django_assert_num_queries(0):
            assert anonymous.get("/healthz").status_code == 200


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[redis.Redis]:
    port = free_port()
    options = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path))
    with subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL) as process:
        client = redis.Redis(port=port)
        for _ in range(100):
            with suppress(redis.ConnectionError):
                client.ping()
                break
            time.sleep(0.1)
        try:
            yield client
        finally:
            process.terminate()


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="Redis is not installed")
def test_a_request_asks_redis_for_its_rate_limit_alone(cache: redis.Redis, tmp_path: Path) -> None:
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"} | {
        "PAGODA_DATA_DIR": str(tmp_path / "data"),
        "CACHE_URL": f"redis://127.0.0.1:{cache.connection_pool.connection_kwargs['port']}/1",
        "PLUGIN_EXAMPLES_DIR": str(PLUGINS),
        "ENABLED_PLUGINS": "zoo-good",
        "PLUGIN_OPERATION_ID_CONFIG": '{"zoo-good": [200, 299]}',
        "RATE_LIMIT_USER": "9999/h",
    }
    url = f"http://127.0.0.1:{port}/api/v2/plugins/zoo-good/hello/"
    put_tables(tmp_path / "data")
    command = [
        sys.executable,
        "-m",
        "pagoda_api.cli",
        "serve",
        "--bind",
        f"127.0.0.1:{port}",
        "--workers",
        "1",
    ]
    with subprocess.Popen(command, env=environment) as server:
        try:
            for _ in range(300):
                with suppress(ConnectionError, URLError), urllib.request.urlopen(url):
                    break
                time.sleep(0.1)
            cache.config_resetstat()
            for _ in range(REQUESTS):
                urllib.request.urlopen(url).close()
            calls = {name: stats["calls"] for name, stats in cache.info("commandstats").items()}
        finally:
            server.terminate()

    assert calls.pop("cmdstat_incrby") == calls.pop("cmdstat_expireat") == REQUESTS  # one round trip for both
    calls.pop("cmdstat_config|resetstat", None)
    # Once a second the breakers' states, and what the process tells of itself.
    assert sum(calls.values()) < REQUESTS / 2, calls

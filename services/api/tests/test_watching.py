"""Health of plugins and metrics over HTTP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tools.migrated_host import put_tables
from tools.stack import free_port

HEALTH = "/api/v2/plugins/health/"


@pytest.mark.django_db
def test_health_names_status_and_figures_of_every_surface(api: Any, register: Callable[[Any], Any]) -> None:
    from pagoda.watching.traffic import Traffic
    from pagoda_plugin_sdk import Plugin

    class Shop(Plugin):
        id = "shop"
        name = "Shop"
        version = "1.0"

    register(Shop())
    traffic = Traffic()
    traffic.add("shop", "endpoint", {"ok": 4, "raised": 6}, seconds=0.2, timed=10, error="KeyError: x")
    traffic.add("shop", "hook", {"ok": 9, "raised": 1}, seconds=3.0, timed=10)
    traffic.flush()
    response = api.get(HEALTH)
    assert response.status_code == 200
    (shop,) = [plugin for plugin in response.json()["results"] if plugin["id"] == "shop"]
    assert (shop["status"], shop["load"]["status"], shop["task"]["status"]) == ("failing", "ok", "idle")
    endpoint, hook = shop["endpoint"], shop["hook"]
    assert (endpoint["status"], endpoint["error_ratio"], endpoint["text"]) == (
        "failing", 0.6, "6 of 10 failed (60.0%)",
    )  # fmt: skip
    assert endpoint["last_success"] is not None
    assert (hook["status"], hook["error_ratio"]) == ("degraded", 0.1)
    assert "p95 is" in hook["text"]


@pytest.mark.django_db
def test_health_asks_no_broker_and_takes_a_fixed_number_of_queries(
    api: Any, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    from pagoda.jobs import runtime

    monkeypatch.setattr(runtime, "publisher", None)
    monkeypatch.setattr(runtime, "celery_app", None)
    with django_assert_max_num_queries(10):
        assert api.get(HEALTH).status_code == 200


def test_health_is_for_who_is_logged_in(anonymous: Any) -> None:
    assert anonymous.get(HEALTH).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_adding_up_loses_nothing_when_many_do_it_at_once() -> None:
    from django.db import connections

    from pagoda.watching.traffic import Traffic, figures_since

    def add(_: int) -> None:
        mine = Traffic()
        for plugin in ("a", "b"):
            mine.add(plugin, "hook", {"ok": 1}, seconds=0.001, timed=1)
        mine.flush()
        connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(20)))
    assert {key: figures.calls for key, figures in figures_since(5).items()} == {
        ("a", "hook"): 20,
        ("b", "hook"): 20,
    }


def _wait_until_ready(url: str) -> None:
    for _ in range(600):
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{url} is not ready")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a host without plugins with three processes."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(folder),
        "PAGODA_ENV_FILE": "",
        "PAGODA_DATA_DIR": str(folder / "data"),
        "API_WORKERS": "3",
        "API_BIND": f"127.0.0.1:{port}",
    }
    put_tables(folder / "data")
    command = [sys.executable, "-m", "pagoda_api.cli", "serve"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, env=environment, stderr=log) as process,
    ):
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(f"{url}/readyz")
        yield url
        process.send_signal(signal.SIGTERM)
    assert not list(Path(folder).glob("pagoda-metrics-*")), "the folder of the counts is removed at the end"
    assert "Traceback" not in (folder / "log").read_text()


def test_metrics_are_those_of_all_processes_together(server: str) -> None:
    for _ in range(30):
        assert httpx.get(f"{server}/api/v2/entities/").status_code == 401
    found = re.compile(
        r'^pagoda_endpoint_requests_total{method="GET",plugin="core",status="401"} (.*)$', re.M
    )
    for _ in range(10):  # whichever process answers
        text = httpx.get(f"{server}/metrics").text
        assert found.findall(text) == ["30.0"]
    assert 'pagoda_build_info{version="' in text
    assert 'pagoda_queue_consumers{queue="core"} 0.0' in text

from __future__ import annotations

import gc
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from gunicorn.workers.sync import SyncWorker

from pagoda_api import cli, server
from tools.migrated_host import put_tables

COMMAND = [sys.executable, "-m", "pagoda_api.cli"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return kept | {"PAGODA_DATA_DIR": str(tmp_path), "PAGODA_LOG_LEVEL": "INFO"}


@pytest.fixture
def served(environment: dict[str, str], tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start the real server on a free port, its database migrated; return its URL."""
    put_tables(tmp_path)
    command = [*COMMAND, "serve", "--bind", "127.0.0.1:0", "--workers", "1"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            found = re.search(r"Listening at: (http://127\.0\.0\.1:\d+)", line)
            if found:
                yield found[1], process
                break
        else:
            pytest.fail(f"it did not start: {''.join(lines)}")
        if process.poll() is None:
            process.terminate()
            process.stderr.read()


def get(url: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return response.status, json.loads(response.read())
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_without_migrations_it_says_what_it_waits_for_and_ends(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [*COMMAND, "serve", "--bind", "127.0.0.1:0"],
        env=environment | {"PAGODA_WAIT_SECONDS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == cli.EX_NOT_READY
    assert "pagoda-api: waited 1 s for migrations, given up: " in done.stderr
    assert "Run `pagoda migrate`." in done.stderr


def test_serve_answers_and_stops_on_a_signal(served: tuple[str, subprocess.Popen[str]]) -> None:
    url, process = served

    assert get(f"{url}/healthz") == (200, {"status": "ok"})
    status, body = get(f"{url}/readyz")
    assert status == 200
    assert body["checks"]["migrations"]["status"] == "ok"
    assert body["checks"]["broker"]["status"] == "ok"
    assert get(f"{url}/api/v2/entries/")[0] == 401

    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    logged = [json.loads(line) for line in process.stderr.read().splitlines()]
    assert process.wait(timeout=30) == 0
    requests = [record for record in logged if record["event"] == "request_finished"]
    assert [record["path"] for record in requests] == ["/api/v2/entries/"]
    assert all(record["request_id"] and record["service"] == "api" for record in requests)


def test_wrong_settings_stop_the_start_with_all_faults(environment: dict[str, str]) -> None:
    wrong = environment | {"API_WORKERS": "none", "PAGODA_LOG_LEVEL": "LOUD"}

    finished = subprocess.run([*COMMAND, "serve"], env=wrong, capture_output=True, text=True, check=False)

    assert finished.returncode == 2
    assert "API_WORKERS" in finished.stderr
    assert "PAGODA_LOG_LEVEL" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_wrong_operation_ids_stop_the_start(environment: dict[str, str]) -> None:
    wrong = environment | {"PLUGIN_OPERATION_ID_CONFIG": '{"nothing": [5000, 5099]}'}

    finished = subprocess.run(
        [*COMMAND, "serve", "--bind", "127.0.0.1:0"], env=wrong, capture_output=True, text=True, check=False
    )

    assert finished.returncode != 0
    assert "PLUGIN_OPERATION_ID_CONFIG has 1 fault(s)" in finished.stderr


@pytest.mark.parametrize("workers", ["0", "-1", "many"])
def test_wrong_number_of_workers_is_refused(workers: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "--workers", workers]) == 2
    assert "--workers" in capsys.readouterr().err


def test_requests_run_in_main_threads_of_sync_workers() -> None:
    # The watchdog of hook handlers interrupts main threads.
    settings = server.ApiServer(
        bind="127.0.0.1:0", workers=3, worker_memory_mb=64, max_body_bytes=1024, load_application=object
    ).cfg

    assert issubclass(settings.worker_class, SyncWorker)
    assert (settings.workers, settings.threads) == (3, 1)


def test_the_garbage_collector_passes_over_what_is_loaded() -> None:
    loading = server.ApiServer(
        bind="127.0.0.1:0", workers=1, worker_memory_mb=64, max_body_bytes=1024, load_application=object
    )
    try:
        loading.load()

        assert gc.get_freeze_count() > len(gc.get_objects())
    finally:
        gc.unfreeze()

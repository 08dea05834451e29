"""Many threads and processes at one job, on a database file of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.migrated_host import put_tables

PREPARE = """
import django, json, sys
django.setup()
from django.core.management import call_command
from pagoda.jobs import store
from pagoda.jobs.clock import after
from pagoda.jobs.models import Job, ScheduleTick
from pagoda.jobs.testing import plugin_tasks, recording_publisher
from pagoda_plugin_sdk.tasks import plugin_task

@plugin_task(0)
def restock(job): ...

tasks = plugin_tasks("shop", [restock])
tasks.__enter__()
silence = recording_publisher()
publisher = silence.__enter__()
"""
READY = "print('ready', flush=True); sys.stdin.readline()"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder with a migrated database and 40 queued jobs."""
    folder = tmp_path_factory.mktemp("template")
    put_tables(folder)
    once(
        """
Job.objects.submit_many(plugin="shop", operation_name="restock", user=None, params=[{}] * 40)
Job.objects.update(publish_at=after(-1), created_at=after(-60))
print(1)
""",
        environment(folder),
    )
    return folder


@pytest.fixture
def environ(template: Path, tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "data"
    shutil.copytree(template, folder)
    return environment(folder)


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {
        "PAGODA_DATA_DIR": str(folder),
        "DATABASE_URL": "",
        "BROKER_URL": "",
        "PAGODA_ENV_FILE": "",
        "PAGODA_LOG_LEVEL": "ERROR",
        "DJANGO_SETTINGS_MODULE": "pagoda.settings",
        "ENABLED_PLUGINS": "",
    }


def start(code: str, environ: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PREPARE + code],
        env=environ,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def once(code: str, environ: dict[str, str]) -> Any:
    return answer(start(code, environ))


def answer(process: subprocess.Popen[str]) -> Any:
    """Return what the process printed last, as JSON."""
    output, _ = process.communicate("go\n", timeout=120)
    assert process.returncode == 0
    return json.loads(output.splitlines()[-1])


def race(code: str, environ: dict[str, str], *, processes: int) -> list[Any]:
    """Run `code` in processes that begin together and return what each printed."""
    started = [start(f"{READY}\n{code}", environ) for _ in range(processes)]
    for process in started:
        assert process.stdout is not None
        while process.stdout.readline().strip() != "ready":
            assert process.poll() is None
    return [answer(process) for process in started]


JOB_IDS = list(range(1, 41))


def test_each_job_is_claimed_by_one_of_many_processes(environ: dict[str, str]) -> None:
    claim = f"""
from pagoda.jobs.store import owner_of
import os
won = [i for i in {JOB_IDS} if store.claim(i, owner_of("node", os.getpid()), 30) is not None]
print(json.dumps(won))
"""
    won = race(claim, environ, processes=3)

    assert sorted(job_id for ids in won for job_id in ids) == JOB_IDS


def test_each_job_is_finished_once_however_often_its_message_came(environ: dict[str, str]) -> None:
    work = f"""
import os, threading
finished = []
def work():
    from django.db import connection
    for job_id in {JOB_IDS}:
        attempt = store.claim(job_id, store.owner_of("node", os.getpid()), 30)
        if attempt is not None and store.finish(attempt, 2):
            finished.append(job_id)
    connection.close()
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps(finished))
"""
    finished = race(work, environ, processes=3)

    assert sorted(job_id for ids in finished for job_id in ids) == JOB_IDS


def test_dispatchers_share_what_is_due(environ: dict[str, str]) -> None:
    take = """
from pagoda.jobs.store import sweeps
sweeps.REPUBLISH_SECONDS = sweeps.LONGEST_REPUBLISH_SECONDS = 3600.0  # however long the others take to come
print(json.dumps([due.message.job_id for due in store.due_jobs(limit=15)]))
"""

    taken = race(take, environ, processes=3)

    assert sorted(job_id for ids in taken for job_id in ids) == JOB_IDS


def test_one_of_many_dispatchers_starts_a_tick(environ: dict[str, str]) -> None:
    tick = """
from datetime import UTC, datetime
from pagoda.jobs import operations
request = store.JobRequest(operation=operations.resolve_name("shop", "restock"))
job = store.take_tick("shop.restock", datetime(2030, 5, 1, 12, tzinfo=UTC), request)
print(json.dumps(job and job.pk))
"""
    started = race(tick, environ, processes=3)

    assert len([job_id for job_id in started if job_id is not None]) == 1


def test_one_of_many_requests_makes_the_job_of_a_key(environ: dict[str, str]) -> None:
    submit = """
job = Job.objects.submit(plugin="shop", operation_name="restock", user=None, idempotency_key="7")
print(json.dumps(job.pk))
"""
    made = race(submit, environ, processes=3)

    assert len(set(made)) == 1

"""Many threads and processes at one job, on a database file of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.migrated_host import put_tables

# A process that has loaded the host once: for each line it forks some that run the line's code at one time.
FORKING = """
import django, json, multiprocessing, os, sys
django.setup()
from django.db import connections
from pagoda.jobs import store
from pagoda.jobs.clock import after
from pagoda.jobs.models import Job, ScheduleTick
from pagoda.jobs.testing import plugin_tasks, recording_publisher
from pagoda_plugin_sdk.tasks import plugin_task

@plugin_task(0)
def restock(job): ...

context = multiprocessing.get_context("fork")

def compete(code, start, answers):
    own = dict(globals())
    start.wait(60)
    exec(code, own)
    answers.put(own["told"])

with plugin_tasks("shop", [restock]), recording_publisher():
    for line in sys.stdin:
        code, count = json.loads(line)
        connections.close_all()
        start, answers = context.Barrier(count), context.SimpleQueue()
        started = [context.Process(target=compete, args=(code, start, answers)) for _ in range(count)]
        for process in started:
            process.start()
        for process in started:
            process.join(120)
        assert [process.exitcode for process in started] == [0] * count
        print(json.dumps([answers.get() for _ in started]), flush=True)
"""
JOBS = """
Job.objects.submit_many(plugin="shop", operation_name="restock", user=None, params=[{}] * 40)
told = Job.objects.update(publish_at=after(-1), created_at=after(-60))
"""

type Race = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def forking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Race, Path]]:
    """Yield what runs code in processes that begin together and returns the `told` of each, and its data."""
    data = tmp_path_factory.mktemp("races") / "data"
    put_tables(data)
    environ = os.environ | {
        "PAGODA_DATA_DIR": str(data),
        "DATABASE_URL": "",
        "BROKER_URL": "",
        "PAGODA_ENV_FILE": "",
        "PAGODA_LOG_LEVEL": "ERROR",
        "DJANGO_SETTINGS_MODULE": "pagoda.settings",
        "ENABLED_PLUGINS": "",
    }
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", FORKING], env=environ, text=True, stdin=pipe, stdout=pipe
    ) as process:

        def race(code: str, *, processes: int = 3) -> list[Any]:
            assert process.stdin is not None
            assert process.stdout is not None
            print(json.dumps([code, processes]), file=process.stdin, flush=True)
            told: list[Any] = json.loads(next(line for line in process.stdout if line[0] == "["))  # no log
            return told

        assert race(JOBS, processes=1) == [40]
        shutil.copytree(data, data.with_name("template"))
        yield race, data
    assert process.returncode == 0


@pytest.fixture
def race(forking: tuple[Race, Path]) -> Race:
    """Return what races, on a host with 40 queued jobs."""
    run, data = forking
    shutil.rmtree(data)
    shutil.copytree(data.with_name("template"), data)
    return run


JOB_IDS = list(range(1, 41))


def test_each_job_is_claimed_by_one_of_many_processes(race: Race) -> None:
    claim = f"""
from pagoda.jobs.store import owner_of
import os
won = [i for i in {JOB_IDS} if store.claim(i, owner_of("node", os.getpid()), 30) is not None]
told = won
"""
    won = race(claim)

    assert sorted(job_id for ids in won for job_id in ids) == JOB_IDS


def test_each_job_is_finished_once_however_often_its_message_came(race: Race) -> None:
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
told = finished
"""
    finished = race(work)

    assert sorted(job_id for ids in finished for job_id in ids) == JOB_IDS


def test_dispatchers_share_what_is_due(race: Race) -> None:
    take = """
from pagoda.jobs.store import sweeps
sweeps.REPUBLISH_SECONDS = sweeps.LONGEST_REPUBLISH_SECONDS = 3600.0  # however long the others take to come
told = [due.message.job_id for due in store.due_jobs(limit=15)]
"""

    taken = race(take)

    assert sorted(job_id for ids in taken for job_id in ids) == JOB_IDS


def test_one_of_many_dispatchers_starts_a_tick(race: Race) -> None:
    tick = """
from datetime import UTC, datetime
from pagoda.jobs import operations
request = store.JobRequest(operation=operations.resolve_name("shop", "restock"))
job = store.take_tick("shop.restock", datetime(2030, 5, 1, 12, tzinfo=UTC), request)
told = job and job.pk
"""
    started = race(tick)

    assert len([job_id for job_id in started if job_id is not None]) == 1


def test_one_of_many_requests_makes_the_job_of_a_key(race: Race) -> None:
    submit = """
job = Job.objects.submit(plugin="shop", operation_name="restock", user=None, idempotency_key="7")
told = job.pk
"""
    made = race(submit)

    assert len(set(made)) == 1

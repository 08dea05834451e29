"""What a job costs in statements and round trips, on a real PostgreSQL and a real Redis.

`make bench-jobs` shows what that is in processor time; these counts hold it on any machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tools.migrated_host import running_postgres
from tools.servers import RedisServer, missing_programs

pytestmark = pytest.mark.bounds

SCRIPT = """
import json, os
import psycopg
from redis.connection import AbstractConnection

counts = {"database": 0, "broker": 0}

def counted(owner, name, key):
    original = getattr(owner, name)
    def count(self, *args, **kwargs):
        counts[key] += 1
        return original(self, *args, **kwargs)
    setattr(owner, name, count)

counted(psycopg.Connection, "wait", "database")  # each is a round trip
counted(AbstractConnection, "send_packed_command", "broker")

from pagoda_worker.app import start
host = start("worker")
from django.core.management import call_command
call_command("migrate", verbosity=0)

from pagoda.fencing import shared_rows
from pagoda.jobs.models import Job
from pagoda.jobs.testing import plugin_tasks
from pagoda_plugin_sdk.tasks import plugin_task
from pagoda_worker.runner import Runner

@plugin_task(0)
def restock(job):
    return None

def submit(count=1):
    if count == 1:
        return [Job.objects.submit(plugin="calm", operation_name="restock", user=None)]
    return Job.objects.submit_many(plugin="calm", operation_name="restock", user=None, params=[{}] * count)

shared_rows.REFRESH_SECONDS = 3600.0  # breakers are read once a second, however many jobs run
here = Runner(node="calm@host", lease_seconds=30)

def spent(work):
    counts.update(database=0, broker=0)
    done = work()
    return dict(counts), done

with plugin_tasks("calm", [restock]):
    from pagoda.jobs import runtime
    from kombu import Queue
    app = runtime.celery_app()
    app.amqp.queues.add(Queue("plugin.calm", routing_key="plugin.calm"))
    for _ in range(8):
        here.run(submit()[0].pk, "warm")
    one, (job,) = spent(submit)
    many, jobs = spent(lambda: submit(500))
    run, _ = spent(lambda: here.run(job.pk, "task"))
    job.refresh_from_db()
    assert job.get_status_display() == "done", job.error
    from django.db import connection
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        plans = sorted(row[0].split()[0] for row in cursor.fetchall())
    with app.connection_for_read() as broker:
        queue = broker.SimpleQueue(app.amqp.queues["plugin.calm"])
        message = queue.get(timeout=5)
        taking, _ = spent(message.ack)
        books = [key for key in broker.default_channel.client.keys() if b"unacked" in key]
    print(json.dumps(dict(submit=one, submit_many=many, run=run, plans=plans, ack=taking, books=len(books))))
"""


@pytest.fixture(scope="module")
def spent(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return ``{what: {server: round trips}}``, and what stays at the servers."""
    if missing := missing_programs():
        pytest.skip(f"Debian's packages {', '.join(missing)} are not installed")
    with running_postgres() as postgres:
        folder = tmp_path_factory.mktemp("bounds")
        redis = RedisServer(folder / "redis")
        try:
            redis.start()
            environ = os.environ | {
                "DJANGO_SETTINGS_MODULE": "pagoda_worker.settings",
                "DATABASE_URL": postgres.url,
                "BROKER_URL": redis.url,
                "CACHE_URL": redis.url.replace("/0", "/1"),
                "PAGODA_DATA_DIR": str(folder / "host"),
                "PAGODA_ENV_FILE": "",
                "ENABLED_PLUGINS": "",
            }
            command = [sys.executable, "-c", SCRIPT]
            ended = subprocess.run(
                command, env=environ, capture_output=True, text=True, timeout=120, check=False
            )
        finally:
            redis.stop()
    assert ended.returncode == 0, ended.stderr[-3000:]
    counts: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return counts


def test_a_job_and_its_audit_event_are_one_round_trip_each_to_database_and_broker(
    spent: dict[str, Any],
) -> None:
    assert spent["submit"] == {"database": 1, "broker": 1}


def test_many_jobs_take_as_many_round_trips_as_a_few(spent: dict[str, Any]) -> None:
    assert spent["submit_many"]["database"] <= 6
    assert spent["submit_many"]["broker"] == 1


def test_a_job_is_claimed_and_ended_by_a_statement_each(spent: dict[str, Any]) -> None:
    assert spent["run"] == {"database": 2, "broker": 0}


def test_what_each_job_costs_the_database_is_planned_once(spent: dict[str, Any]) -> None:
    assert spent["plans"] == ["UPDATE", "UPDATE", "WITH"]  # claim, end, submit


def test_the_broker_keeps_no_book_of_what_workers_have(spent: dict[str, Any]) -> None:
    assert spent["ack"] == {"database": 0, "broker": 0}
    assert spent["books"] == 0

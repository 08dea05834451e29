"""Slow queries on a real PostgreSQL: stopped in time, and the host's transaction goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.migrated_host import python_on, running_postgres
from tools.servers import PostgresServer, missing_programs

SCRIPT = """
import contextlib, sys, threading
import django
django.setup()
from django.db import connection, transaction
from pagoda.budget import TimeBudgetExceeded
from pagoda.hooks.manager import HookManager

def query(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else None

def slow(*args):
    query("INSERT INTO kept VALUES ('handler')")
    query("SELECT pg_sleep(60)")

def stubborn(*args):
    while True:
        with contextlib.suppress(Exception), transaction.atomic():
            query("SELECT pg_sleep(60)")

hooks = HookManager(timeout_seconds=0.2)
hooks.open()
records = [hooks.register_hook("entry.after_create", each, plugin_id="slow") for each in (slow, stubborn)]
query("CREATE TABLE IF NOT EXISTS kept (who text)")

def change():
    with transaction.atomic():
        query("INSERT INTO kept VALUES ('before')")
        hooks.execute_hook("entry.after_create", "customer", None, None)
        query("INSERT INTO kept VALUES ('after')")
    assert [hooks.statistics(record).timeouts for record in records] == [1, 1]
    assert query("SELECT who FROM kept") == [("before",), ("after",)], query("SELECT who FROM kept")
    assert query("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'") == [(0,)]

def view():
    query("SELECT pg_sleep(60)")

def request():
    pid = query("SELECT pg_backend_pid()")
    with contextlib.suppress(TimeBudgetExceeded):
        hooks.budget.run_within(0.2, "p", view)
        raise SystemExit("the view was not cut off")
    assert query("SELECT pg_backend_pid()") == pid, "the connection was lost"

def in_thread(function):
    thread = threading.Thread(target=lambda: (function(), ended.append(True), connection.close()))
    ended = []
    thread.start()
    thread.join()
    assert ended

{run}
print("ok")
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    if "postgresql" in missing_programs():
        pytest.skip("PostgreSQL is not installed")
    with running_postgres() as server:
        yield server


@pytest.mark.parametrize(
    "run", ["change()", "in_thread(change)", "request()"], ids=["handler", "handler in a thread", "view"]
)
def test_it_is_canceled_and_the_transaction_goes_on(
    postgres: PostgresServer, tmp_path: Path, run: str
) -> None:
    script = SCRIPT.replace("{run}", f"query('TRUNCATE kept'); {run}")
    ended = python_on(postgres, tmp_path, "-c", script, timeout=60)
    assert ended.stdout.strip().endswith("ok"), ended.stderr[-3000:]

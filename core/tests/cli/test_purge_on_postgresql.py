"""`pagoda plugins remove --purge` on PostgreSQL: tables, jobs, and the role of the plugin's account."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from core.tests.cli.test_plugin_packages import command_of, make_environment, make_wheel
from tools.migrated_host import running_postgres
from tools.servers import PostgresServer, missing_programs

pytestmark = pytest.mark.skipif("postgresql" in missing_programs(), reason="PostgreSQL is not installed")


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


def rows(server: PostgresServer, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(server.url, autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []


ROLE = "SELECT rolname FROM pg_roles WHERE rolname LIKE '%acme'"
NOTES = "SELECT text FROM acme_app_note"
JOBS = "SELECT count(*) FROM job_job WHERE plugin = 'acme'"
WRITE = """
from acme_app.models import Note
from pagoda.jobs.models import Job

Note.objects.create(text="kept")
Job.objects.submit(plugin="acme", operation_name="work", user=None)
"""
TABLES = "SELECT tablename FROM pg_tables WHERE tablename LIKE 'acme%'"


def test_a_plugin_stays_until_it_is_purged_and_comes_back_from_its_export(
    server: PostgresServer, tmp_path: Path
) -> None:
    python = make_environment(tmp_path / "environment", with_pip=True)
    passwords = tmp_path / "passwords"
    passwords.mkdir()
    for account in ("pagoda_api", "pagoda_dispatcher", "pagoda_core", "pagoda_plugin_acme"):
        (passwords / account).write_text(f"of-the-account-{account}")
    variables = {
        "DATABASE_URL": server.url,
        "BROKER_URL": "redis://127.0.0.1:1/0",  # nothing of a removal asks it
        "PAGODA_ACCOUNT_PASSWORDS_DIR": str(passwords),
        "PAGODA_SECRET_KEY": "k" * 60,
    }
    pagoda = command_of(python, tmp_path, os.environ["PATH"], **variables)
    wheel = str(make_wheel(tmp_path))
    pagoda("plugins", "install", wheel)
    pagoda("migrate", enabled=True)
    assert rows(server, ROLE) == [("pagoda_plugin_acme",)]
    assert rows(server, TABLES) == [("acme_app_note",)]

    pagoda("manage", "shell", "--no-imports", "-c", WRITE, enabled=True)
    pagoda("plugins", "remove", "acme", "--yes", enabled=True)
    assert (rows(server, NOTES), rows(server, JOBS)) == ([("kept",)], [(1,)])
    pagoda("plugins", "install", wheel)  # and all is as it was
    assert "with 1 row(s)" in pagoda("plugins", "remove", "acme", given="n\n", status=1, enabled=True)

    export = tmp_path / "acme.json"
    told = pagoda("plugins", "remove", "acme", "--purge", "--yes", "--export", str(export), enabled=True)
    assert rows(server, TABLES) == []
    assert rows(server, JOBS) == [(0,)]
    assert "at Redis: DEL plugin.acme, ACL DELUSER" in told
    statements = next(line for line in told.splitlines() if "DROP OWNED" in line).partition("superuser: ")[2]
    assert 'DROP ROLE IF EXISTS "pagoda_plugin_acme";' in statements
    pagoda("migrate")
    for statement in filter(None, statements.split(";")):
        rows(server, statement)
    assert rows(server, ROLE) == []

    pagoda("plugins", "install", wheel)  # what was exported comes back
    pagoda("migrate", enabled=True)
    assert rows(server, NOTES) == []
    pagoda("manage", "loaddata", str(export), enabled=True)
    assert (rows(server, NOTES), rows(server, JOBS)) == ([("kept",)], [(1,)])

"""`make restore-drill`: back a filled database up, restore it into a new release, and count what came back.

Two PostgreSQL servers of this machine stand in for the two releases. Both have the owner that the chart gives
them, who is no superuser, and the accounts of the processes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from psycopg import sql

from tools.servers import PostgresServer, missing_programs, postgres_folder

ROOT = Path(__file__).resolve().parents[1]
OWNER = ROOT / "deploy" / "helm" / "pagoda" / "files" / "postgresql_owner.sh"
ENTRIES, JOBS = 200, 50
ACCOUNTS = ("pagoda_api", "pagoda_dispatcher", "pagoda_core", "pagoda_plugin_inventory")
FILL = f"""
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import User
from pagoda.jobs.interface import create_new_job
from pagoda_plugin_sdk.operations import JobOperation
user = User.objects.create_superuser("drill", password="x")
shelf = Entity.objects.create_entity(user=user, name="Shelf", attrs=[{{"name": "place", "type": "string"}}])
for number in range({ENTRIES}):
    Entry.objects.create_entry(user=user, schema=shelf, name=f"shelf {{number}}", attrs={{"place": "here"}})
for _ in range({JOBS}):
    create_new_job(user, JobOperation.CANARY).run()
"""


class DrillFault(Exception):
    """Something did not come back; the message says what."""


class DrillRelease:
    """A database with its owner, the commands that work on it, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.server = PostgresServer(folder / "data", superuser="postgres")
        self._folder = folder
        (folder / "accounts").mkdir()
        for name in ACCOUNTS:
            (folder / "accounts" / name).write_text(f"password-of-{name}", encoding="utf-8")
        self.server.start()
        self.run("sh", "-eu", str(OWNER))
        self.pagoda("migrate", "--no-input", "--verbosity", "0")

    @property
    def url(self) -> str:
        """Return the address for the owner."""
        return f"postgres://pagoda:x@127.0.0.1:{self.server.port}/pagoda"

    def pagoda(self, *arguments: str) -> str:
        """Run the command line of the host."""
        return self.run(sys.executable, "-m", "pagoda.cli", *arguments)

    def run(self, *command: str) -> str:
        """Run a program with this release's environment; return what it prints.

        Raises:
            DrillFault: it fails.
        """
        env = {
            "PATH": f"{postgres_folder()}:{os.environ['PATH']}",
            "PGHOST": "127.0.0.1", "PGPORT": str(self.server.port),
            "POSTGRES_USER": "postgres", "POSTGRES_PASSWORD": "x",
            "DATABASE_URL": self.url, "PAGODA_ENV_FILE": "", "PAGODA_DATA_DIR": str(self._folder / "pagoda"),
            "PAGODA_ACCOUNT_PASSWORDS_DIR": str(self._folder / "accounts"), "ENABLED_PLUGINS": "inventory",
            "PLUGIN_OPERATION_ID_CONFIG": '{"inventory": [300, 399]}',
        }  # fmt: skip
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=self._folder)
        if done.returncode:
            raise DrillFault(f"{' '.join(command)}: {(done.stdout + done.stderr)[-2000:]}")
        return done.stdout

    def counts(self) -> dict[str, int]:
        """Return the rows of each table."""
        with psycopg.connect(self.url) as connection:
            names = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
            count = sql.SQL("SELECT count(*) FROM {}")
            rows = {
                name: connection.execute(count.format(sql.Identifier(name))).fetchone() for (name,) in names
            }
        return {name: row[0] for name, row in rows.items() if row is not None}


def drill(folder: Path) -> str:
    """Return what was restored and how long it took.

    Raises:
        DrillFault: a step fails, or something did not come back.
    """
    (folder / "old").mkdir()
    (folder / "new").mkdir()
    old, new = DrillRelease(folder / "old"), DrillRelease(folder / "new")
    try:
        old.pagoda("manage", "shell", "--no-imports", "--command", FILL)
        old.pagoda("audit", "seal")
        counts, dump, began = old.counts(), str(folder / "pagoda.dump"), time.monotonic()
        old.run("pg_dump", "-U", "pagoda", "-Fc", "-f", dump, "pagoda")
        dumped = time.monotonic()
        new.run(
            "pg_restore", "-U", "pagoda", "-d", "pagoda", "--clean", "--if-exists", "--exit-on-error", dump
        )
        new.pagoda("migrate", "--no-input", "--verbosity", "0")
        restored = time.monotonic()
        _compare(counts, new.counts())
        new.pagoda("audit", "verify")
        _works(new)
    finally:
        old.server.stop()
        new.server.stop()
    return (
        f"{sum(counts.values())} rows of {len(counts)} tables, the audit chain and {JOBS} waiting jobs "
        f"came back; backup {dumped - began:.1f} s, restore with `pagoda migrate` {restored - dumped:.1f} s"
    )


def _compare(before: dict[str, int], after: dict[str, int]) -> None:
    other = {name: (count, after.get(name)) for name, count in before.items() if after.get(name) != count}
    if other or before["entry_entry"] != ENTRIES or before["job_job"] != JOBS:
        raise DrillFault(f"rows before and after differ: {other or before}")


def _works(release: DrillRelease) -> None:
    """See that an account may read what was restored, and that a plugin's still may not read passwords."""
    at = release.url.partition("@")[2]
    with psycopg.connect(f"postgres://pagoda_api@{at}") as connection:
        connection.execute("SELECT count(*) FROM entry_entry")
    try:
        with psycopg.connect(f"postgres://pagoda_plugin_inventory@{at}") as connection:
            connection.execute("SELECT password FROM public.user_user")
    except psycopg.errors.InsufficientPrivilege:
        return
    raise DrillFault("an account of a plugin reads passwords after the restore")


def main() -> int:
    """Run the drill; return 0 when all came back, 1 when not, 2 without PostgreSQL."""
    if missing := missing_programs():
        print(f"restore-drill needs {', '.join(missing)}: apt-get install {' '.join(missing)}")
        return 2
    with tempfile.TemporaryDirectory(prefix="pagoda-restore-") as name:
        Path(name).chmod(0o755)  # PostgreSQL runs as a user of its own
        try:
            print(f"held    {drill(Path(name))}")
        except DrillFault as error:
            print(f"BROKEN  {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

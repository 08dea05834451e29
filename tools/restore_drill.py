"""`make restore-drill`: back a filled database up, restore it into a new release, and count what came back.

Two PostgreSQL servers stand in for the two releases: containers of the chart's image, or programs of this
machine where Docker is not there. Both have the owner that the chart gives them, who is no superuser, and the
accounts of the processes; the backup is what the chart's CronJob runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psycopg
from psycopg import sql

from tools.servers import PostgresServer, missing_programs, postgres_folder
from tools.stack import free_port

ROOT = Path(__file__).resolve().parents[1]
OWNER = ROOT / "deploy" / "helm" / "pagoda" / "files" / "postgresql_owner.sh"
BACKUP = OWNER.with_name("backup.sh")
IMAGE = "postgres:17"
START_SECONDS = 120.0  # with the pull of the image
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


class DrillContainer:
    """A PostgreSQL as the chart starts it, on a free port of this machine's loopback."""

    def __init__(self) -> None:
        self.port = free_port()
        self._name = f"pagoda-restore-drill-{self.port}"

    def start(self) -> None:
        """Start it, and wait for the owner that its first start makes."""
        options = ["--env=POSTGRES_USER=postgres", "--env=POSTGRES_PASSWORD=x", f"--env=PGPORT={self.port}"]
        options += [f"--volume={OWNER}:/docker-entrypoint-initdb.d/owner.sh:ro", f"--name={self._name}"]
        command = ("docker", "run", "--detach", "--rm", "--network=host", *options, IMAGE)
        done = subprocess.run(
            (*command, "postgres", "-c", "listen_addresses=127.0.0.1"),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if done.returncode or time.monotonic() > deadline:
                raise DrillFault(f"PostgreSQL does not start: {done.stderr[-2000:]}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Remove it with its data."""
        command = ("docker", "rm", "--force", "--volumes", self._name)
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    def _answers(self) -> bool:
        try:
            psycopg.connect(f"postgres://pagoda:x@127.0.0.1:{self.port}/pagoda", connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


class DrillRelease:
    """A database with its owner, the commands that work on it, and nothing else."""

    def __init__(self, folder: Path, *, in_containers: bool, started: ExitStack) -> None:
        self._in_containers = in_containers
        self.server = (
            DrillContainer() if in_containers else PostgresServer(folder / "data", superuser="postgres")
        )
        self._folder = folder
        (folder / "accounts").mkdir()
        for name in ACCOUNTS:
            (folder / "accounts" / name).write_text(f"password-of-{name}", encoding="utf-8")
        started.callback(self.server.stop)
        self.server.start()
        if not in_containers:
            self.run("sh", "-eu", str(OWNER))
        self.pagoda("migrate", "--no-input", "--verbosity", "0")

    @property
    def url(self) -> str:
        """Return the address for the owner."""
        return f"postgres://pagoda:x@127.0.0.1:{self.server.port}/pagoda"

    def pagoda(self, *arguments: str) -> str:
        """Run the command line of the host."""
        return self.run(sys.executable, "-m", "pagoda.cli", *arguments)

    def backup(self, folder: Path) -> str:
        """Run what the chart's CronJob does; return the file, which is the only one then.

        Raises:
            DrillFault: it fails, or does not leave that one file with what comes after it done.
        """
        folder.mkdir()
        (folder / "pagoda-1.dump").touch()
        os.utime(folder / "pagoda-1.dump", (0, 0))
        (folder / "pagoda-2.dump.part").touch()
        self.program(
            "sh", "-euc", BACKUP.read_text(encoding="utf-8"),
            BACKUP_FOLDER=str(folder), BACKUP_KEEP_DAYS="14",
            BACKUP_AFTERWARDS='cp "$BACKUP" "$BACKUP_FOLDER/copy"',
        )  # fmt: skip
        (copy, dump) = sorted(folder.iterdir(), key=lambda path: path.suffix)
        if copy.name != "copy" or dump.suffix != ".dump" or copy.read_bytes() != dump.read_bytes():
            raise DrillFault(f"the folder of backups holds {[path.name for path in folder.iterdir()]}")
        return str(dump)

    def program(self, *command: str, **environment: str) -> str:
        """Run a program of PostgreSQL's, where the server is; as `run`."""
        if not self._in_containers:
            return self.run(*command, **environment)
        given = {
            "DATABASE_URL": self.url,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.server.port),
            **environment,
        }
        above = self._folder.parent
        options = [f"--env={name}={value}" for name, value in given.items()]
        options += [f"--user={os.getuid()}:{os.getgid()}", f"--volume={above}:{above}"]
        return self.run("docker", "run", "--rm", "--network=host", *options, IMAGE, *command)

    def run(self, *command: str, **environment: str) -> str:
        """Run a program with this release's environment; return what it prints.

        Raises:
            DrillFault: it fails.
        """
        env = {
            **{name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ},
            "PATH": f"{postgres_folder()}:{os.environ['PATH']}",
            "PGHOST": "127.0.0.1", "PGPORT": str(self.server.port),
            "POSTGRES_USER": "postgres", "POSTGRES_PASSWORD": "x",
            "DATABASE_URL": self.url, "PAGODA_ENV_FILE": "", "PAGODA_DATA_DIR": str(self._folder / "pagoda"),
            "PAGODA_ACCOUNT_PASSWORDS_DIR": str(self._folder / "accounts"), "ENABLED_PLUGINS": "inventory",
            "PLUGIN_OPERATION_ID_CONFIG": '{"inventory": [300, 399]}',
            **environment,
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


def drill(folder: Path, *, in_containers: bool = False) -> str:
    """Return what was restored and how long it took.

    Raises:
        DrillFault: a step fails, or something did not come back.
    """
    (folder / "old").mkdir()
    (folder / "new").mkdir()
    with ExitStack() as started:
        old, new = (
            DrillRelease(folder / name, in_containers=in_containers, started=started)
            for name in ("old", "new")
        )
        old.pagoda("manage", "shell", "--no-imports", "--command", FILL)
        old.pagoda("audit", "seal")
        counts, began = old.counts(), time.monotonic()
        dump = old.backup(folder / "backups")
        dumped = time.monotonic()
        new.program(
            "pg_restore", "-U", "pagoda", "-d", "pagoda", "--clean", "--if-exists", "--exit-on-error", dump
        )
        new.pagoda("migrate", "--no-input", "--verbosity", "0")
        restored = time.monotonic()
        _compare(counts, new.counts())
        new.pagoda("audit", "verify")
        _works(new)
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


def no_docker() -> str:
    """Return why there are no containers here, "" when there may be."""
    try:
        done = subprocess.run(("docker", "info"), capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "there is no docker command"
    return (done.stderr.strip().splitlines() or ["docker info fails"])[-1] if done.returncode else ""


def main() -> int:
    """Run the drill; return 0 when all came back, 1 when not, 2 without PostgreSQL."""
    reason = no_docker()
    if reason:
        print(f"not in containers: {reason}")
    if reason and (missing := missing_programs()):
        print(f"restore-drill needs {', '.join(missing)}: apt-get install {' '.join(missing)}")
        return 2
    with tempfile.TemporaryDirectory(prefix="pagoda-restore-") as name:
        Path(name).chmod(0o755)  # PostgreSQL runs as a user of its own
        try:
            print(f"held    {drill(Path(name), in_containers=not reason)}")
        except DrillFault as error:
            print(f"BROKEN  {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

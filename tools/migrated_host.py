"""Give tests that start processes a host that was migrated once, until a source changes.

`pagoda migrate` on an empty database takes seconds of a processor, and PostgreSQL some to make its files.
Both are kept as `tools/migrated_database.py` keeps its tables: `pytest --cache-clear` has them made anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tools.migrated_database import TEMPLATE_VARIABLE, is_outdated, sources
from tools.servers import PostgresServer

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / ".pytest_cache" / "d" / "hosts"
TEMPLATE = "pagoda_template"
"""The database of a migrated cluster that nobody connects to, so others can be made of it."""


def put_tables(data: Path) -> None:
    """Put the tables of a migrated host on SQLite into a data folder, which is made when it is not there."""
    data.mkdir(parents=True, exist_ok=True)
    for file in _kept("sqlite", _make_tables).glob("pagoda.sqlite3*"):
        shutil.copy(file, data / file.name)


@contextmanager
def running_postgres(*, is_migrated: bool = True) -> Iterator[PostgresServer]:
    """Start a PostgreSQL in a folder of its own, with the tables of a host or empty, and stop it."""
    with tempfile.TemporaryDirectory(prefix="pagoda-postgresql-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # it runs as a user of its own
        server = PostgresServer(folder / "data")
        if is_migrated:
            server.adopt(_kept("postgresql", _make_cluster) / "data")
        try:
            server.start()
            yield server
        finally:
            server.stop()


def python_on(
    server: PostgresServer, data: Path, *arguments: str, timeout: float = 600, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run Python in the environment of a host on this database, with `data` as its folder."""
    host = {"DATABASE_URL": server.url, "PAGODA_DATA_DIR": str(data), "PAGODA_ENV_FILE": ""}
    host |= {"DJANGO_SETTINGS_MODULE": "pagoda.settings", "PYTEST_ADDOPTS": "", TEMPLATE_VARIABLE: TEMPLATE}
    return subprocess.run(
        (sys.executable, *arguments),
        env=os.environ | host | environ,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def _kept(name: str, make: Callable[[Path], None]) -> Path:
    """Return what `make` made in a folder for today's sources; one process makes it, others wait for it."""
    KEPT.mkdir(parents=True, exist_ok=True)
    kept = KEPT / f"{name}-{_digest()}"
    with (KEPT / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            for path in KEPT.glob(f"{name}-*"):
                if is_outdated(path):
                    shutil.rmtree(path)
            partial = kept.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
            with tempfile.TemporaryDirectory(prefix="pagoda-kept-") as made:
                folder = Path(made)
                folder.chmod(0o755)  # PostgreSQL runs as a user of its own
                make(folder)
                shutil.copytree(folder, partial)
            partial.rename(kept)
    return kept


def _digest() -> str:
    seen = hashlib.sha256((ROOT / "requirements" / "dev.txt").read_bytes())
    for part in sources():
        seen.update(part)
    return seen.hexdigest()[:16]


def _make_tables(folder: Path) -> None:
    _migrate(folder)


def _make_cluster(folder: Path) -> None:
    server = PostgresServer(folder / "data")
    try:
        server.start()
        with tempfile.TemporaryDirectory() as data:
            _migrate(Path(data), DATABASE_URL=server.url)
        with psycopg.connect(server.url.replace("/postgres", "/template1"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE postgres")
    finally:
        server.stop()


def _migrate(data: Path, **environ: str) -> None:
    """Bring up the tables of a host without plugins, as an operator does."""
    host = {"PATH": os.environ["PATH"], "PAGODA_ENV_FILE": "", "PAGODA_DATA_DIR": str(data)}
    command = (sys.executable, "-m", "pagoda.cli", "migrate")
    subprocess.run(command, env=host | environ, check=True, capture_output=True)

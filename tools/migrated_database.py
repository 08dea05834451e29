"""Give test sessions on SQLite the tables that an earlier one migrated, until a source changes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.db import connection
from django.db.backends.signals import connection_created

ROOT = Path(__file__).resolve().parent.parent
OUTDATED_SECONDS = 24 * 3600
"""How old the tables of other sources are when no session that is running can want them."""
TEMPLATE_VARIABLE = "TEST_DATABASE_TEMPLATE"
"""Names the database that PostgreSQL makes the test database of, where the environment has it."""


def digest() -> str:
    """Return what the tables depend on: our sources, which migrations may call, and others' by name."""
    seen = hashlib.sha256(f"{django.VERSION} {sqlite3.sqlite_version}".encode())
    ours = set()
    for config in sorted(apps.get_app_configs(), key=lambda config: config.label):
        seen.update(config.label.encode())
        folder = Path(config.path)
        if folder.is_relative_to(ROOT) and not folder.is_relative_to(ROOT / ".venv"):
            ours.add(folder)
            continue
        for path in sorted(folder.glob("migrations/*.py")):
            seen.update(path.name.encode())
    for part in sources(*ours):
        seen.update(part)
    return seen.hexdigest()[:16]


def sources(*more: Path) -> Iterator[bytes]:
    """Yield name and text of each module of our distributions, and of those in the folders besides."""
    folders = {*ROOT.glob("*/src"), *ROOT.glob("*/*/src"), *more}
    for path in sorted({path for folder in folders for path in folder.rglob("*.py")}):
        yield path.relative_to(ROOT).as_posix().encode()
        yield path.read_bytes()


def is_outdated(path: Path) -> bool:
    """Tell whether what is kept there is of other sources, and so old that no session can want it."""
    return path.stat().st_mtime < time.time() - OUTDATED_SECONDS


@contextmanager
def prefilled(folder: Path | None) -> Iterator[None]:
    """Start the test database, which the block makes, from the tables kept in `folder`, or keep them there.

    Migrating takes longer than most modules of tests. It is still called, and finds nothing to do. Without a
    folder, or on another database than SQLite, nothing is kept. A PostgreSQL may have a template already.
    """
    if connection.vendor == "postgresql":
        connection.settings_dict["TEST"]["TEMPLATE"] = os.environ.get(TEMPLATE_VARIABLE)
    if folder is None or connection.vendor != "sqlite":
        yield
        return
    kept = folder / f"{digest()}.sqlite3"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one migrates, and workers beside it wait for what it keeps
        if not kept.exists():
            yield
            _keep(kept)
            return

    def fill(**_signal: Any) -> None:
        connection_created.disconnect(fill)  # the first connection only: it finds an empty database
        with closing(sqlite3.connect(kept)) as source:
            source.backup(connection.connection)

    connection_created.connect(fill, weak=False)
    try:
        yield
    finally:
        connection_created.disconnect(fill)


def _keep(kept: Path) -> None:
    """Write the tables to a file of their own, then move it: a process may be killed."""
    for path in kept.parent.glob("*.*"):  # all but the lock
        if is_outdated(path):
            path.unlink()
    partial = kept.with_suffix(".partial")
    with closing(sqlite3.connect(partial)) as copy:
        connection.ensure_connection()
        connection.connection.backup(copy)
    partial.replace(kept)

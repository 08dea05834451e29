"""What code leaves behind: rows, files, threads, processes, open connections, jobs that nobody runs."""

from __future__ import annotations

import gc
import os
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import connection

from pagoda.jobs.models import Job
from pagoda_plugin_sdk.operations import JobOperation, JobStatus

PROC = Path("/proc")  # Linux; elsewhere processes and open connections are not looked at
GRACE_SECONDS = 0.5
"""So long may what was started need to end."""

HOST_PACKAGES = ("pagoda", "pagoda_api", "pagoda_worker", "django", "rest_framework")
DATA_APPS = ("entity", "entry")
"""The host's apps whose tables hold what plugins write; jobs are looked at by themselves."""

type Row = tuple[tuple[str, str], ...]  # ((column, value), ...)
type Tables = dict[str, Counter[Row]]


def tables(own_jobs: Iterable[int] = ()) -> Tables:
    """Return the rows of the plugins' tables, of entities, entries and values, and jobs without `own_jobs`.

    Moments are left out.
    """
    hosts = {
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if model.__module__.partition(".")[0] in HOST_PACKAGES and model._meta.app_label not in DATA_APPS
    }
    with connection.cursor() as cursor:
        names = set(connection.introspection.table_names(cursor)) - hosts - {"django_migrations"}
        found = {name: Counter(_rows(cursor, name)) for name in sorted(names)}
    others = Job.objects.exclude(pk__in=own_jobs).exclude(operation=JobOperation.RUN_DEFERRED_HOOK)
    jobs = others.values("plugin", "operation_name", "status", "params")
    found["jobs"] = Counter(tuple((name, str(value)) for name, value in job.items()) for job in jobs)
    return found


def _rows(cursor: Any, table: str) -> Iterator[Row]:
    moments = {
        column.name
        for column in connection.introspection.get_table_description(cursor, table)
        if str(column.type_code).startswith(("datetime", "timestamp"))
    }
    cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - a table that is there
    columns = [column[0] for column in cursor.description]
    for row in cursor.fetchall():
        yield tuple(
            (name, repr(value)) for name, value in zip(columns, row, strict=True) if name not in moments
        )


def volatile(one: Tables, other: Tables) -> frozenset[tuple[str, str]]:
    """Return ``(table, column)`` of what two runs of the same made different: random numbers and the like."""
    return frozenset(
        (table, column)
        for table in one.keys() & other.keys()
        for column in {name for row in (*one[table], *other[table]) for name, _ in row}
        if _column(one[table], column) != _column(other[table], column)
    )


def _column(rows: Counter[Row], column: str) -> Counter[str]:
    return Counter(dict(row).get(column, "") for row in rows.elements())


def without(found: Tables, columns: frozenset[tuple[str, str]], kept: Iterable[str]) -> Tables:
    """Return the tables without these columns, and without the tables `kept`."""
    return {
        table: Counter(
            tuple((name, value) for name, value in row if (table, name) not in columns)
            for row in rows.elements()
        )
        for table, rows in found.items()
        if rows and table not in kept
    }


def differences(before: Tables, after: Tables) -> list[str]:
    """Return what is in `after` and not in `before`, and the other way round, in words."""
    words = []
    for table in sorted(before.keys() | after.keys()):
        more = after.get(table, Counter()) - before.get(table, Counter())
        fewer = before.get(table, Counter()) - after.get(table, Counter())
        changed = min(more.total(), fewer.total())
        noun = "" if table == "jobs" else f" of {table}"
        what = "job" if table == "jobs" else "row"
        words += [
            f"{count} {kind} {what}{'s' if count > 1 else ''}{noun}{_example(rows)}"
            for count, kind, rows in (
                (changed, "changed", more),
                (more.total() - changed, "more", more),
                (fewer.total() - changed, "missing", fewer),
            )
            if count
        ]
    return words


def _example(rows: Counter[Row]) -> str:
    shown = {name: value for name, value in next(iter(rows)) if name not in ("id", "params")}
    text = ", ".join(f"{name}={value}" for name, value in shown.items())
    return f" ({text[:120]})" if text else ""


@dataclass(slots=True)
class Surroundings:
    """What is around the code in this process; made before it runs, asked after it."""

    temp: Path  # the process's folder for temporary files, empty
    database: Path
    threads: frozenset[threading.Thread] = field(default_factory=lambda: frozenset(threading.enumerate()))
    open: Counter[str] = field(default_factory=Counter)
    raised: list[str] = field(default_factory=list)  # in threads

    def __post_init__(self) -> None:
        self.open = self._open()
        threading.excepthook = lambda args: self.raised.append(f"{args.exc_type.__name__}: {args.exc_value}")

    def left(self) -> list[str]:
        """Return what is left, in words."""
        new = [each for each in threading.enumerate() if each not in self.threads]
        for thread in new:
            thread.join(GRACE_SECONDS)
        gc.collect()
        words = [
            f"the thread {thread.name!r}"
            for thread in new
            if thread.is_alive() and thread.name != "pagoda-watchdog"
        ]
        words += [f"the process {name}" for name in _children()]
        words += [f"an open {name}" for name in (self._open() - self.open).elements()]
        words += [f"the file {path.relative_to(self.temp)} in the folder for temporary files" for path in
                  sorted(self.temp.rglob("*"))]  # fmt: skip
        return words + [f"an error in a thread ({text})" for text in self.raised]

    def _open(self) -> Counter[str]:
        """Return the open files and connections, without this thread's connection to the database."""
        connection.close()
        found: Counter[str] = Counter()
        for descriptor in (PROC / "self/fd").glob("*"):
            with suppress(OSError):
                target = descriptor.readlink()
                if str(target).startswith("socket:"):
                    found["network connection"] += 1
                elif target == self.database:
                    found["connection to the database"] += 1
                elif target.is_file() and not target.name.startswith(self.database.name):
                    found[f"file {target.name}"] += 1
        return found


def _children() -> Iterator[str]:
    for file in PROC.glob("[0-9]*/stat"):
        with suppress(OSError):
            head, _, tail = file.read_text(errors="replace").rpartition(")")
            state, parent = tail.split()[:2]
            if int(parent) == os.getpid() and state not in "ZX":
                yield head.partition("(")[2]


def drafts(own_jobs: Iterable[int] = ()) -> list[str]:
    """Return the jobs that were made and never asked to run, in words."""
    waiting = Job.objects.exclude(pk__in=own_jobs).filter(status=JobStatus.PREPARING)
    return [f"the job {job.operation_name!r}, which nobody queued" for job in waiting]


def beyond(known: Sequence[str], left: Iterable[str]) -> list[str]:
    """Return, each once, the words that others than the `known` ones say, whatever random names they have."""
    known_kinds = {_kind(words) for words in known}
    return [words for words in dict.fromkeys(left) if _kind(words) not in known_kinds]


def _kind(words: str) -> str:
    return re.sub(r"[a-z0-9_]{8}(?=\W|$)|\d+", "*", words)

"""The readiness checks of the host."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connections

from pagoda.config.accounts import is_plugins
from pagoda.health.results import CheckFailed, CheckResult, Finding
from pagoda.health.runner import Check, CheckRunner
from pagoda.health.storage import BUSY, storage_fault
from pagoda.jobs import runtime as job_runtime
from pagoda.plugins.migrations import missing_of_host, missing_of_plugins
from pagoda.plugins.registry import registry
from pagoda.rates.counters import DatabaseCounter, Slot

TIMEOUT = timedelta(seconds=3)
"""How long all checks together may take: below the usual deadline of a probe."""

BUSY_MILLISECONDS = 1000
"""How long a check waits for others that write to SQLite."""

MIGRATE = "Run `pagoda migrate`."

_runner = CheckRunner()


def run_checks(
    checks: Mapping[str, Check] | None = None, *, timeout: timedelta = TIMEOUT
) -> tuple[CheckResult, ...]:
    """Run `checks` (``{name: check}``, by default `CHECKS`) side by side; return the results in order."""
    return _runner.run(CHECKS if checks is None else checks, timeout=timeout)


def check_database() -> Finding:
    """Ask the database for a row and write one: what answers may be a standby, or out of space.

    Raises:
        CheckFailed: it takes no writes.
    """
    connection = connections["default"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
        if connection.vendor == "sqlite":
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    found = Finding(text=f"{connection.vendor} answers", data={"vendor": connection.vendor})
    if is_plugins(connection.settings_dict["USER"]):
        return found  # its account has no row to count in
    try:
        DatabaseCounter().count([Slot(key="readyz", ends_at=(int(time.time()) // 3600 + 1) * 3600)])
    except DatabaseError as error:  # without a table the migrations are missing, which their check tells
        fault = storage_fault(error)
        if fault not in (None, BUSY):
            raise CheckFailed(f"{fault.text}: a row could not be written.") from error
    return found


def check_migrations() -> Finding:
    """Compare the migrations of the installed apps with those that the database has.

    Those of plugins count as far as `pagoda migrate` is to apply them: a plugin whose migrations failed is
    told, and is a fault of readiness in strict mode alone.

    Raises:
        CheckFailed: some are not applied; they are named.
    """
    plugins = registry()
    if missing := missing_of_host(plugins):
        raise CheckFailed(f"{len(missing)} migration(s) are not applied: {_some(missing)}. {MIGRATE}")
    lacking = missing_of_plugins(plugins)
    if lacking.pending:
        pending = f"{len(lacking.pending)} migration(s) of plugins are not applied: {_some(lacking.pending)}."
        raise CheckFailed(" ".join((pending, MIGRATE, *lacking.failed)))
    if lacking.failed and settings.PAGODA.pagoda_plugin_strict:
        raise CheckFailed(" ".join(lacking.failed))
    if lacking.failed:
        return Finding(text=" ".join(("all of the host's applied.", *lacking.failed)))
    return Finding(text="all applied")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def check_broker() -> Finding:
    """Open a connection to the broker, and close it.

    Raises:
        CheckFailed: the broker is a folder that can't be written to.
    """
    with job_runtime.celery_app().connection_for_write() as connection:
        transport: str = connection.transport.driver_type
        if transport == "filesystem":
            _check_folder(Path((connection.transport_options or {})["data_folder_out"]))
        connection.connect()  # one try; Redis and AMQP answer here
        return Finding(text=f"{transport} answers", data={"transport": transport})


def check_registry() -> Finding:
    """Look whether the plugins were booted; a skipped plugin is told, and is no fault of readiness."""
    plugins = registry()
    counts: dict[str, int] = {}
    for record in plugins.records:
        counts[record.status.value] = counts.get(record.status.value, 0) + 1
    return Finding(text="plugins are booted", data={"digest": plugins.digest(), "plugins": counts})


def _check_folder(folder: Path) -> None:
    if not (folder.is_dir() and os.access(folder, os.R_OK | os.W_OK | os.X_OK)):
        raise CheckFailed(f"The broker's folder {str(folder)!r} does not exist or can't be written to.")


CHECKS: Mapping[str, Check] = {
    "database": check_database,
    "migrations": check_migrations,
    "broker": check_broker,
    "registry": check_registry,
}

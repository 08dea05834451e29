"""Keep a worker's database connections open across jobs, and let none outlive what breaks it.

Celery's Django fix-up closes them around every task (9 ms a job); jobs run without it. So here: an error in a
job, or a pause after which a server may have restarted, has the connection checked before the next job, and
renewed when it fails. A child has none of its parent's: the parent closes its own before each fork.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from celery import signals
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

IDLE_SECONDS = 5.0  # a connection unused for longer is checked (one query) before it is used


@dataclass(slots=True)
class KeptConnections:
    """Check the process's database connections between jobs; one per process."""

    clock: Callable[[], float] = time.monotonic
    used_at: float = field(default=float("-inf"))

    def before_job(self, **_: Any) -> None:
        """Renew connections that may have broken while no job ran."""
        if self.clock() - self.used_at <= IDLE_SECONDS:
            return
        for connection in connections.all(initialized_only=True):
            connection.errors_occurred = True  # has Django ask the server instead of its own notes
            connection.close_if_unusable_or_obsolete()

    def after_job(self, **_: Any) -> None:
        """Renew connections on which the job saw an error or left a transaction open."""
        self.used_at = self.clock()
        for connection in connections.all(initialized_only=True):
            if _is_suspect(connection):
                connection.close_if_unusable_or_obsolete()


def _is_suspect(connection: BaseDatabaseWrapper) -> bool:
    if connection.connection is None:
        return False
    return connection.errors_occurred or not connection.get_autocommit()


def keep_open() -> None:
    """Have the jobs of this process share database connections; call it before the worker starts."""
    kept = KeptConnections()
    signals.task_prerun.connect(kept.before_job, weak=False, dispatch_uid="pagoda.connections.before")
    signals.task_postrun.connect(kept.after_job, weak=False, dispatch_uid="pagoda.connections.after")

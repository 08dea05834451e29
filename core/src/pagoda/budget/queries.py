"""Stop a query that somebody waits for, by the database's own means.

A signal would do for the waiting thread, but it leaves a connection to PostgreSQL in the middle of an answer,
and the host's transaction is lost with it. SQLite never looks at signals while it works.
"""

from __future__ import annotations

import re
import threading
import time

import structlog
from django.db.backends.base.base import BaseDatabaseWrapper

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 0.3
"""How long a query that is to stop may take for it before a signal is sent after all."""

CANCEL_SECONDS = 0.5
"""How long asking PostgreSQL may take."""

_READING = re.compile(
    r"\s*(SELECT|VALUES|WITH)\b(?!.*\b(INSERT|UPDATE|DELETE|REPLACE)\b)", re.IGNORECASE | re.DOTALL
)


def is_reading(sql: str) -> bool:
    """Return whether a statement only reads; stopping one that writes undoes SQLite's transaction."""
    return _READING.match(sql) is not None


class RunningQuery:
    """A query from its beginning to its end, as the thread that waits and the one that watches see it."""

    __slots__ = ("_connection", "_is_over", "_lock", "_stopped_at")

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._is_over = False
        self._stopped_at: float | None = None

    def end(self) -> None:
        """Note its end; waits for a `stop` on its way, which must not hit the connection's next query."""
        with self._lock:
            self._is_over = True

    def stop(self) -> bool:
        """Have the database stop it; return whether it is worth waiting for that."""
        with self._lock:
            if self._is_over:
                return False
            if self._stopped_at is not None:
                return time.monotonic() - self._stopped_at < PATIENCE_SECONDS
            self._stopped_at = time.monotonic()
            return self._stop()

    def _stop(self) -> bool:
        if self._connection.vendor == "sqlite":
            return True  # it asks by itself whether to go on
        try:
            self._connection.connection.cancel_safe(timeout=CANCEL_SECONDS)
        except Exception:  # whatever a driver raises: a signal follows
            log.warning("query_not_canceled", database=self._connection.alias, exc_info=True)
            return False
        return True

"""Open a savepoint before the first query of a handler, and only then; let the watchdog stop its queries."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from pagoda.budget.cutting import expired_mark, seconds_of
from pagoda.budget.frames import Frame, ThreadState, TimeBudgetExceeded
from pagoda.budget.queries import RunningQuery, is_reading
from pagoda.budget.savepoints import Savepoint
from pagoda.domain.interrupting import ask_no_more, end_when


class QueryGuard:
    """Sees every query of the connections it was put on, and acts on those of running handlers."""

    def __init__(self, local: threading.local) -> None:
        self._local = local  # ``local.frame``, the innermost; absent in a thread in which nothing ever ran

    def put_on_all(self) -> None:
        """Guard the connections that are open and those that will be; calling it again changes nothing."""
        connection_created.connect(self._on_connection, dispatch_uid=id(self))
        for connection in connections.all(initialized_only=True):
            self.put_on(connection)

    def take_off(self) -> None:
        """Guard no new connections, and none of this thread's."""
        connection_created.disconnect(self._on_connection, dispatch_uid=id(self))
        for connection in connections.all(initialized_only=True):
            if self in connection.execute_wrappers:
                connection.execute_wrappers.remove(self)
            ask_no_more(connection, self._is_to_stop)

    def put_on(self, connection: BaseDatabaseWrapper) -> None:
        """Guard this connection."""
        if self not in connection.execute_wrappers:
            # First, as `connection.execute_wrapper()` takes off the last when its block ends.
            connection.execute_wrappers.insert(0, self)
        end_when(connection, self._is_to_stop)

    # Any: Django's statement parameters, context and results.
    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        frame = getattr(self._local, "frame", None)
        if frame is None or (frame.running is None and frame.outer is None):
            return execute(sql, params, many, context)
        state, connection = frame.thread, context["connection"]
        self._protect(state, connection)
        outer = state.query
        query = state.query = RunningQuery(connection)
        state.is_reading = is_reading(sql)
        try:
            return execute(sql, params, many, context)
        except Exception as error:
            self._end_overdue(state, error)
            raise
        finally:
            query.end()
            state.query = outer

    def _end_overdue(self, state: ThreadState, error: Exception) -> None:
        """Raise `TimeBudgetExceeded` instead of what the database says of a query that was stopped."""
        found = expired_mark(state)
        if found is not None:
            raise TimeBudgetExceeded(found[0], seconds_of(found[1])) from error

    def _is_to_stop(self) -> bool:
        """Return whether SQLite is to end the query that it works on, in this thread."""
        frame = getattr(self._local, "frame", None)
        return frame is not None and frame.thread.is_reading and expired_mark(frame.thread) is not None

    def _protect(self, state: ThreadState, connection: BaseDatabaseWrapper) -> None:
        """Give each running handler of this thread a savepoint, the outermost first: each undoes its own
        part.
        """
        if state.is_opening:
            return
        for frame in state.busy():
            if _needs_savepoint(frame, connection):
                with _opening(state):
                    opened = Savepoint.open(connection)
                frame.savepoints = {**(frame.savepoints or {}), connection.alias: opened}

    def _on_connection(self, *, connection: BaseDatabaseWrapper, **_signal: object) -> None:
        self.put_on(connection)


def _needs_savepoint(frame: Frame, connection: BaseDatabaseWrapper) -> bool:
    what = frame.what()
    return (
        what is not None
        and what.is_undone
        and connection.alias not in (frame.savepoints or ())
        and connection.in_atomic_block
        and not connection.needs_rollback
    )


@contextmanager
def _opening(state: ThreadState) -> Iterator[None]:
    state.is_opening = True
    try:
        yield
    finally:
        state.is_opening = False

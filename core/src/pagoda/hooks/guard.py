"""Open a savepoint before the first query of a handler, and only then; let the watchdog stop its queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from pagoda.hooks.cutting import expired_mark
from pagoda.hooks.errors import HookTimeout
from pagoda.hooks.queries import STEPS, RunningQuery, is_reading
from pagoda.hooks.savepoints import Savepoint
from pagoda.hooks.threads import Frame, Threads, ThreadState


class QueryGuard:
    """Sees every query of the connections it was put on, and acts on those of running handlers."""

    def __init__(self, threads: Threads, timeout_seconds: float) -> None:
        self._threads = threads
        self._timeout_seconds = timeout_seconds  # of handlers

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

    def put_on(self, connection: BaseDatabaseWrapper) -> None:
        """Guard this connection."""
        if self not in connection.execute_wrappers:
            # First, as `connection.execute_wrapper()` takes off the last when its block ends.
            connection.execute_wrappers.insert(0, self)
        if connection.vendor == "sqlite" and connection.connection is not None:
            connection.connection.set_progress_handler(self._is_to_stop, STEPS)

    # Any: Django's statement parameters, context and results.
    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        try:
            is_idle = not self._threads.local.slot[0]
        except AttributeError:
            is_idle = True  # a thread that never dispatched anything
        if is_idle:
            return execute(sql, params, many, context)
        state, connection = self._threads.state, context["connection"]
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
        """Raise `HookTimeout` instead of what the database says of a query that was stopped."""
        found = expired_mark(state)
        if found is not None:
            raise HookTimeout(found[0], found[0].timeout_seconds or self._timeout_seconds) from error

    def _is_to_stop(self) -> bool:
        """Return whether SQLite is to end the query that it works on, in this thread."""
        state = self._threads.state
        return state.is_reading and expired_mark(state) is not None

    def _protect(self, state: ThreadState, connection: BaseDatabaseWrapper) -> None:
        """Give each running handler of this thread a savepoint, the outermost first: each undoes its own
        part.
        """
        if state.is_opening:
            return
        for frame in state.frames:
            if _needs_savepoint(frame, connection):
                with _opening(state):
                    frame.savepoints[connection.alias] = Savepoint.open(connection)
                self._threads.hold(frame)

    def _on_connection(self, *, connection: BaseDatabaseWrapper, **_signal: object) -> None:
        self.put_on(connection)


def _needs_savepoint(frame: Frame, connection: BaseDatabaseWrapper) -> bool:
    return (
        frame.is_dispatch
        and frame.runs_handler()
        and connection.alias not in frame.savepoints
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

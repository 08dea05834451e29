"""Open a savepoint before the first query of a handler, and only then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from pagoda.hooks.savepoints import Savepoint
from pagoda.hooks.threads import Frame, Threads, ThreadState


class QueryGuard:
    """Sees every query of the connections it was put on, and acts on those of running handlers."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

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

    # Any: Django's statement parameters, context and results.
    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        try:
            is_idle = not self._threads.local.slot[0]
        except AttributeError:
            is_idle = True  # a thread that never dispatched anything
        if not is_idle:
            self._protect(self._threads.state, context["connection"])
        return execute(sql, params, many, context)

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
        frame.runs_handler()
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

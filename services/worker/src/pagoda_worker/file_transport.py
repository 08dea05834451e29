"""The embedded broker as workers use it: they stop without delay, and queues of dead readers don't grow."""

from __future__ import annotations

import time
from typing import Any

from celery import Celery

from pagoda.jobs import filebroker

WAIT_SECONDS = 0.25  # Celery's loop waits 2 s at a time, and twice before it ends
UNREAD_SECONDS = filebroker.ABANDONED_AFTER_SECONDS  # an event or a reply this old has no reader any more
READER_EXCHANGES = ("celeryev", "celery.pidbox", "reply.celery.pidbox")
"""Each of their readers, a Flower or a worker, has a queue of its own; jobs' queues are not among them."""


class WorkerFileChannel(filebroker.FileChannel):
    """The file broker's channel, able to forget readers."""

    def forget_dead_readers(self, exchange: str, now: float) -> int:
        """Remove the queues of `exchange` that nobody reads, with what they hold; return how many."""
        dead = [row for row in self.get_table(exchange) if self._is_unread(row.queue, now)]
        for row in dead:
            self._delete(row.queue, exchange, row.routing_key, row.pattern)
        return len(dead)

    def _is_unread(self, queue: str, now: float) -> bool:
        times = []
        for path in self._folder(queue).glob("*.msg"):
            try:
                times.append(path.stat().st_mtime)
            except FileNotFoundError:
                return False  # it is being read
        return bool(times) and now - min(times) > UNREAD_SECONDS


class WorkerFileTransport(filebroker.FileTransport):
    """The file broker's transport with a short wait."""

    Channel = WorkerFileChannel

    def drain_events(  # type: ignore[override]  # the stubs of two base classes disagree
        self, connection: Any, timeout: float | None = None
    ) -> None:
        """Deliver one message; `TimeoutError` after `WAIT_SECONDS` has the caller's loop come back."""
        super().drain_events(connection, None if timeout is None else min(timeout, WAIT_SECONDS))


TRANSPORT = f"{__name__}:WorkerFileTransport"


def install(app: Celery) -> None:
    """Use this transport in `app` if it speaks to the file broker."""
    if app.conf.broker_transport == filebroker.TRANSPORT:
        app.conf.broker_transport = TRANSPORT


def forget_dead_readers(app: Celery) -> int:
    """Remove the queues of readers that were killed, on the file broker; return how many.

    Every event is written to each of them until then.
    """
    if app.conf.broker_transport != TRANSPORT:
        return 0
    with app.connection_for_write() as connection:
        channel: Any = connection.default_channel  # a `WorkerFileChannel`; the stubs know the base alone
        return sum(channel.forget_dead_readers(exchange, time.time()) for exchange in READER_EXCHANGES)

"""A worker's task events go out together, ten times a second, instead of one by one.

One message per event costs more than a job's own; Flower shows the same, a tenth of a second later.
"""

from __future__ import annotations

from typing import Any

from celery import bootsteps
from celery.worker.consumer.events import Events

FLUSH_SECONDS = 0.1
BUFFER_LIMIT = 200
"""Events that go out at once, however young."""


class EventBuffer(bootsteps.StartStopStep):
    """Part of a worker's start: it slows the flushing of the dispatcher that `Events` made."""

    requires = (Events,)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._is_waiting = False

    def start(self, parent: Any) -> None:
        """Slow down the dispatcher; without an event loop events are not buffered at all."""
        if parent.hub is None or parent.event_dispatcher is None:
            return
        self._is_waiting = False
        parent.event_dispatcher.buffer_limit = BUFFER_LIMIT
        parent.event_dispatcher.on_send_buffered = lambda: self._flush_later(parent)

    def stop(self, parent: Any) -> None:
        """Send what is left."""
        self._flush(parent)

    def _flush_later(self, consumer: Any) -> None:
        if not self._is_waiting:
            self._is_waiting = True
            consumer.hub.call_later(FLUSH_SECONDS, self._flush, consumer)

    def _flush(self, consumer: Any) -> None:
        self._is_waiting = False
        if consumer.event_dispatcher is not None:
            consumer.event_dispatcher.flush()

"""The embedded broker as a worker reads it: waiting for a message ends soon after a stop was asked for."""

from __future__ import annotations

from typing import Any

from celery import Celery

from pagoda.jobs import filebroker

WAIT_SECONDS = 0.25  # Celery's loop waits 2 s at a time, and twice before it ends


class Transport(filebroker.Transport):
    """The file broker's transport with a short wait."""

    def drain_events(  # type: ignore[override]  # the stubs of two base classes disagree
        self, connection: Any, timeout: float | None = None
    ) -> None:
        """Deliver one message; `TimeoutError` after `WAIT_SECONDS` has the caller's loop come back."""
        super().drain_events(connection, None if timeout is None else min(timeout, WAIT_SECONDS))


def install(app: Celery) -> None:
    """Use this transport in `app` if it speaks to the file broker."""
    if app.conf.broker_transport == filebroker.TRANSPORT:
        app.conf.broker_transport = f"{__name__}:Transport"

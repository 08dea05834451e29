"""``pagoda-worker dispatch``: one dispatcher as a process."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress
from pathlib import Path

import structlog
from django.db import DatabaseError

from pagoda.watching import presence
from pagoda.watching.metrics import serving as metrics
from pagoda_worker import liveness
from pagoda_worker.app import WorkerHost
from pagoda_worker.chores import PROCESS, watchers
from pagoda_worker.dispatcher import Dispatcher

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger(__name__)


def dispatch(host: WorkerHost, *, alive_file: Path | None = None) -> int:
    """Dispatch until a signal ends it, the current round done; return the exit status."""
    stop = _stop_event()
    dispatcher = Dispatcher(interval_seconds=host.settings.job_dispatch_interval_seconds)
    if host.settings.metrics_bind is not None:
        metrics.serve(host.settings.metrics_bind)
    running = watchers(host.settings)
    for watcher in running:
        watcher.start()
    log.info("dispatcher_started")
    dispatcher.run_forever(stop, after_round=lambda: liveness.touch(alive_file))
    for watcher in running:
        watcher.stop()
    with suppress(DatabaseError):  # its row grows old by itself
        presence.leave(PROCESS)
    log.info("dispatcher_stopped")
    return 0


def _stop_event() -> threading.Event:
    """Return an event that a stop signal sets.

    A thread waits for the signal: a handler would run in the main thread, which may hold the event's lock.
    """
    stop = threading.Event()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)

    def wait() -> None:
        signal.sigwait(STOP_SIGNALS)
        stop.set()

    threading.Thread(target=wait, name="signals", daemon=True).start()
    return stop

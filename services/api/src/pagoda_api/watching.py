"""What a process of the API tells the others, beside its requests."""

from __future__ import annotations

from contextlib import suppress

from django.db import DatabaseError
from prometheus_client.multiprocess import mark_process_dead

from pagoda.watching.metrics import series
from pagoda.watching.presence import LivingProcess, leave
from pagoda.watching.watcher import Watcher, process_chores

PROCESS = LivingProcess(service="api")


class _Running:
    watcher: Watcher | None = None


def start() -> None:
    """Begin, in the process that serves requests."""
    series.connect()
    _Running.watcher = Watcher(process_chores(PROCESS))
    _Running.watcher.start()


def forget(pid: int) -> None:
    """Drop from the metrics what only a living process may tell; its counts stay."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]


def stop() -> None:
    """End; what was counted last is told."""
    if _Running.watcher is None:
        return
    _Running.watcher.stop()
    _Running.watcher = None
    with suppress(DatabaseError):  # the row grows old by itself
        leave(PROCESS)

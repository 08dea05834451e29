"""A thread that tells the others what this process does, every few seconds and beside all requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import sentry_sdk
import structlog
from django.db import InterfaceError, OperationalError, connections

from pagoda.watching import presence
from pagoda.watching.hook_figures import HookDelta, HookWatch, Receiver
from pagoda.watching.permission_use import uses
from pagoda.watching.traffic import traffic

FLUSH_SECONDS = 2.0

log = structlog.get_logger(__name__)

_hooks = HookWatch()
_receivers: list[Receiver] = []


def add_hook_receiver(receiver: Receiver) -> None:
    """Tell `receiver`, too, what hooks did; twice is once."""
    if receiver not in _receivers:
        _receivers.append(receiver)


def gather() -> None:
    """Count what the hooks of this process did since the last time."""
    _hooks.look(_count_hook, *_receivers)


type Chores = dict[str, tuple[float, Callable[[], object]]]  # {name: (seconds between, chore)}


class Watcher:
    """Calls `chores`, each in a fence of its own, until stopped.

    Its thread has database connections of its own and keeps none between two rounds.
    """

    def __init__(self, chores: Chores) -> None:
        self._chores = chores
        self._due = dict.fromkeys(chores, float("-inf"))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float | None = 5.0) -> None:
        """End the thread after its current round."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def run_due(self, now: float) -> None:
        """Do what is due at `now`, of `time.monotonic`."""
        for name, (seconds, chore) in self._chores.items():
            if now >= self._due[name]:
                self._due[name] = now + seconds
                _fenced(name, chore)

    def _run(self) -> None:
        shortest = min(seconds for seconds, _ in self._chores.values())
        while True:
            self.run_due(time.monotonic())
            connections.close_all()
            if self._stopping.wait(shortest):
                return


def process_chores(process: presence.LivingProcess) -> Chores:
    """Return the chores of a process that runs plugin code and lives as long as its service."""
    return {"presence": (presence.RENEW_SECONDS, lambda: presence.renew(process)), **traffic_chores()}


def traffic_chores() -> Chores:
    """Return the chores of any process that runs plugin code."""
    return {"traffic": (FLUSH_SECONDS, _gather_and_flush), "permissions": (FLUSH_SECONDS, uses().flush)}


def _gather_and_flush() -> None:
    gather()
    traffic().flush()


def _fenced(name: str, chore: Callable[[], object]) -> None:
    try:
        chore()
    except (OperationalError, InterfaceError) as error:
        log.warning("watcher_database_unavailable", chore=name, error=str(error))
    except Exception as error:  # the fence: watching must not end with one bad round
        log.exception("watcher_chore_failed", chore=name)
        sentry_sdk.capture_exception(error)


def _count_hook(delta: HookDelta) -> None:
    traffic().add(delta.plugin, "hook", delta.results, seconds=delta.seconds, timed=delta.timed)

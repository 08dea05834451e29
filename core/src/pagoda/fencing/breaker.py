"""The circuit breaker of every (plugin, surface), as one process counts and asks it.

What runs plugin code asks a local copy of the shared rows, which costs no I/O. `refresh` brings the copy up
to date; failures are stored at once, and successes beside them at a flush. While nothing fails, nothing is
stored: successes mean something only where there are failures.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from secrets import token_hex
from typing import ClassVar

import structlog

from pagoda.fencing.outcomes import Outcome, Surface
from pagoda.fencing.policy import Policy
from pagoda.fencing.rows import Batch, Key, Row
from pagoda.fencing.shared_rows import Change, SharedRows
from pagoda.fencing.states import BreakerState, breaker_changed
from pagoda.fencing.store import Store, StoreUnavailable
from pagoda_plugin_sdk.exceptions import PagodaError
from pagoda_plugin_sdk.washing import washed

log = structlog.get_logger(__name__)

NAME_MAX = 200

type Successes = tuple[str, Surface, str, int]
"""Plugin, surface, name, and how often it did no harm since this was last asked."""


class CircuitBreaker:
    """Decides for one process, together with the others. Safe in threads; a forked process is a new one."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        clock: Callable[[], float] = time.time,
        dry_running: Callable[[], frozenset[str] | None] = frozenset,
    ) -> None:
        """`dry_running` returns the plugins of which nothing is taken out now, None when it can't say."""
        self.policy = policy
        self._dry_running = dry_running
        self._dry: frozenset[str] = frozenset()
        self._clock = clock
        self._rows = SharedRows(
            store, clock, self._tell_listeners, lambda row: self.policy.bounded(row, self._clock())
        )
        self._pending: dict[Key, Batch] = {}
        self._unsent: dict[Key, Batch] = {}  # counted here already, for a store that did not answer
        self._lock = threading.RLock()
        self._token = (0, "")
        self._refused: frozenset[Key] = frozenset()
        self._listeners: list[Callable[[frozenset[Key]], None]] = []
        self._sources: list[Callable[[], Iterable[Successes]]] = []

    @property
    def process(self) -> str:
        """Return the name of this process among all that share the store."""
        pid, token = self._token
        if pid != os.getpid():
            token = f"{socket.gethostname()}/{os.getpid()}/{token_hex(4)}"
            self._token = (os.getpid(), token)
        return token

    def add_listener(self, listener: Callable[[frozenset[Key]], None]) -> None:
        """Tell `listener` the surfaces whose code may not run here, whenever they change."""
        self._listeners.append(listener)

    def add_source(self, source: Callable[[], Iterable[Successes]]) -> None:
        """Ask `source` for successes that nobody reports one by one."""
        self._sources.append(source)

    def admits(self, plugin: str, surface: Surface) -> bool:
        """Return whether the plugin's code may run; after the cool-down, try to be the one that probes."""
        row = self._rows.get((plugin, surface))
        if row is None or row.status == "closed":
            return True
        self._probe(row)
        return self._is_admitted(self._rows[row.key])

    def retry_after(self, plugin: str, surface: Surface) -> float:
        """Return after how many seconds it is worth another try, at least 1."""
        row = self._rows.get((plugin, surface))
        return max(1.0, row.retry_at - self._clock()) if row is not None else 1.0

    def last_error(self, plugin: str, surface: Surface) -> str:
        """Return the last error of a surface, "" when there was none."""
        row = self._rows.get((plugin, surface))
        return row.last_error if row is not None else ""

    def states(self) -> list[BreakerState]:
        """Return all breakers, as stored."""
        self._look(at_once=True)
        return [row.shown(dry_run=self._is_dry(row.plugin)) for row in self._rows.all()]

    def refresh(self) -> None:
        """Bring the local copy up to date, at most once a second; call it where a request or a job begins.

        Hooks are probed from here on when their cool-down is over: nothing asks when they run.
        """
        self._look()
        if not self._rows.has_failures:
            return
        for row in self._rows.all():
            if row.surface == "hook":
                self._probe(row)

    def retry(self, plugin: str, surface: Surface) -> BreakerState | None:
        """Let the next call probe a surface, in whichever process it comes; None when it is in service.

        Raises:
            StoreUnavailable: the other processes can't be told now.
        """
        self._rows.read()
        key, now = (plugin, surface), self._clock()
        before, after = self._rows.change(key, lambda row: self.policy.retried(row, now))
        return None if before.status == "closed" else after.shown(dry_run=self._is_dry(plugin))

    def record(self, outcome: Outcome) -> None:
        """Count an outcome; a failure is stored at once."""
        key = outcome.plugin, outcome.surface
        if outcome.is_failure:
            self.fail(*key, outcome.name, outcome.error or outcome.result)
        elif outcome.result != "skipped":
            with self._lock:
                self._batch(key).succeed(outcome.name)
            self._flush_if_watched(key)

    def fail(self, plugin: str, surface: Surface, name: str, error: str, *, successes: int = 0) -> None:
        """Count a failure and store it; `successes` is how often `name` did no harm before, untold."""
        name = washed(name, NAME_MAX)
        with self._lock:
            batch = self._batch((plugin, surface))
            if successes > 0:
                batch.succeed(name, successes)
            batch.fail(name, error)
        self._flush((plugin, surface))

    def flush(self) -> None:
        """Store what was counted where anything has failed; call it where a request or a job ends."""
        if self._unsent or self._rows.has_failures or any(b.failures for b in self._pending.values()):
            self._collect()
            for key in {*self._pending, *self._unsent}:
                self._flush_if_watched(key)

    def _look(self, *, at_once: bool = False) -> None:
        if not self._rows.refresh(at_once=at_once):
            return
        dry = self._dry_running()
        if dry is not None and dry != self._dry:
            self._dry = dry
            self._tell_listeners()

    def _is_dry(self, plugin: str) -> bool:
        return self.policy.dry_run or plugin in self._dry

    def _is_admitted(self, row: Row) -> bool:
        return row.plugin in self._dry or self.policy.admits(row, self.process)

    def _collect(self) -> None:
        with self._lock:
            for source in self._sources:
                for plugin, surface, name, calls in source():
                    self._batch((plugin, surface)).succeed(name, calls)

    def _batch(self, key: Key) -> Batch:
        now = self._clock()
        batch = self._pending.get(key)
        if batch is None or (not batch.failures and now - batch.began > self.policy.window_seconds):
            batch = self._pending[key] = Batch(began=now)
        return batch

    def _flush_if_watched(self, key: Key) -> None:
        row, batch = self._rows.get(key), self._pending.get(key)
        is_watched = row is not None and row.has_failures
        if is_watched or key in self._unsent or (batch is not None and batch.failures):
            self._flush(key)

    def _flush(self, key: Key) -> None:
        with self._lock:
            batch, unsent = self._pending.pop(key, None), self._unsent.pop(key, None)
        if batch is None and unsent is None:
            return
        batch = batch or Batch()
        whole = batch if unsent is None else unsent.followed_by(batch)
        if not self._change(key, self._counting(whole), alone=self._counting(batch)):
            with self._lock:
                newer = self._unsent.get(key)
                self._unsent[key] = whole if newer is None else whole.followed_by(newer)

    def _counting(self, batch: Batch) -> Change:
        return lambda row: self.policy.counted(row, batch, self._clock(), self.process)

    def _probe(self, row: Row) -> None:
        def probing(current: Row) -> Row:
            return self.policy.probing(current, self._clock(), self.process)

        if probing(row) is not row:
            self._change(row.key, probing, alone=probing)

    def _change(self, key: Key, change: Change, *, alone: Change) -> bool:
        """Change the stored row and announce a new status; without the store, change the local one."""
        try:
            before, after = self._rows.change(key, change)
        except StoreUnavailable as error:
            log.warning("breaker_decides_alone", plugin=key[0], surface=key[1], error=str(error))
            self._rows.decide_alone(key, alone)
            return False
        if before.status != after.status:
            self._announce(before, after)
        return True

    def _tell_listeners(self) -> None:
        refused = frozenset(row.key for row in self._rows.all() if not self._is_admitted(row))
        if refused != self._refused:
            self._refused = refused
            for listener in self._listeners:
                listener(refused)

    def _announce(self, before: Row, after: Row) -> None:
        facts = {
            "plugin": after.plugin,
            "surface": after.surface,
            "old": before.status,
            "new": after.status,
            "reason": after.reason,
            "dry_run": self._is_dry(after.plugin),
        }
        (log.error if after.status == "open" else log.warning)("breaker_changed", **facts)
        for receiver, answer in breaker_changed.send_robust(sender=type(self), **facts):
            if isinstance(answer, Exception):
                log.error("breaker_receiver_failed", receiver=repr(receiver), exc_info=answer)


class FencesNotStarted(PagodaError):
    """The process's breaker was asked for before Django was set up."""

    code: ClassVar[str] = "fences_not_started"


class _FencingProcess:
    breaker: CircuitBreaker | None = None  # set by `install`


def install(breaker: CircuitBreaker | None) -> CircuitBreaker | None:
    """Make `breaker` the process's and return the one it replaces."""
    replaced, _FencingProcess.breaker = _FencingProcess.breaker, breaker
    return replaced


def breaker() -> CircuitBreaker:
    """Return the process's breaker.

    Raises:
        FencesNotStarted: Django is not set up, or `pagoda.fencing` is no installed app.
    """
    if _FencingProcess.breaker is None:
        raise FencesNotStarted(
            "The breaker does not exist yet. It is made when Django starts: call django.setup() with "
            "'pagoda.fencing' in INSTALLED_APPS first."
        )
    return _FencingProcess.breaker


def breaker_states() -> list[BreakerState]:
    """Return the breakers of all plugins as all processes share them, by plugin and surface.

    Reads the shared store; while that does not answer, what this process knows.
    """
    return breaker().states()

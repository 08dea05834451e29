"""What handlers did, counted without a step of its own for each call."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from operator import length_hint
from threading import Lock
from typing import Any

MAX_GAP = 1023
"""How many dispatches go untimed between two that are timed, at most."""

BUSY_SECONDS = 0.02
"""Timed dispatches closer together than this are too many."""


class Tally:
    """Counts the dispatches of one chain of handlers, and says which of them to time.

    A dispatch takes one element from an iterator, which is exact in threads too; the one that finds it used
    up is timed. The iterator is the longer the more often that happens, so that a busy chain is timed once in
    `MAX_GAP` dispatches and one that runs now and then every time. It lives in a dictionary, as compiled
    dispatch code has it among its globals.
    """

    __slots__ = ("_counted", "_gap", "_lock", "_timed_at", "namespace")

    def __init__(self) -> None:
        # Any: compiled code keeps its functions there too.
        self.namespace: dict[str, Any] = {"ticks": repeat(None, 0)}
        self._gap = 0
        self._counted = 0  # before the current iterator
        self._timed_at = float("-inf")
        self._lock = Lock()

    def count(self) -> bool:
        """Count a dispatch that compiled code did not count; return whether it is one to be timed."""
        if self._takes():
            return False
        with self._lock:
            if self._takes():
                return False  # another thread was here first
            self._counted += self._gap + 1
            self._gap = self._next_gap()
            self.namespace["ticks"] = repeat(None, self._gap)
            return True

    @property
    def dispatches(self) -> int:
        """Return how many dispatches were counted."""
        with self._lock:
            return self._counted + self._gap - length_hint(self._ticks)

    @property
    def _ticks(self) -> Iterator[None]:
        ticks: Iterator[None] = self.namespace["ticks"]
        return ticks

    def _takes(self) -> bool:
        for _ in self.namespace["ticks"]:
            return True
        return False

    def _next_gap(self) -> int:
        now = time.monotonic()
        is_busy = now - self._timed_at < BUSY_SECONDS
        self._timed_at = now
        return min(self._gap * 2 + 1, MAX_GAP) if is_busy else self._gap // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerStatistics:
    """What one handler did in this process."""

    calls: int
    failures: int  # contained, timeouts among them
    timeouts: int  # cut off
    rejected: int  # writes refused
    skipped: int  # dispatches without it: ended before its turn, or it was out of service
    timed_calls: int  # a sample, see `Tally`
    mean_seconds: float | None  # of the timed calls; None before the first


class HandlerCounts:
    """The counters behind one handler's statistics."""

    __slots__ = (
        "_earlier",
        "_passing",
        "_tallies",
        "failures",
        "rejected",
        "skipped",
        "timed_calls",
        "timed_ns",
        "timeouts",
    )

    def __init__(self) -> None:
        self.failures = 0
        self.timeouts = 0
        self.rejected = 0
        self.skipped = 0  # dispatches that ended before this handler's turn
        self.timed_calls = 0
        self.timed_ns = 0
        self._tallies: list[Tally] = []
        self._passing: list[Tally] = []  # of chains that it is left out of
        self._earlier = 0  # dispatches of chains that are no more

    def join(self, tally: Tally) -> None:
        """Count the dispatches of a chain that this handler is part of."""
        self._tallies.append(tally)

    def pass_by(self, tally: Tally) -> None:
        """Count the dispatches of a chain that this handler is left out of, as it is out of service."""
        self._passing.append(tally)

    def part(self, tally: Tally) -> None:
        """Keep the count of a chain that is dissolved."""
        if tally in self._passing:
            self._passing.remove(tally)
            self.skipped += tally.dispatches
            self._earlier += tally.dispatches
            return
        self._tallies.remove(tally)
        self._earlier += tally.dispatches

    def add_time(self, nanoseconds: int) -> None:
        """Note how long one call took."""
        self.timed_calls += 1
        self.timed_ns += nanoseconds

    def statistics(self) -> HandlerStatistics:
        """Return the figures as of now."""
        dispatches = self._earlier + sum(tally.dispatches for tally in self._tallies)
        return HandlerStatistics(
            calls=dispatches - self.skipped,
            skipped=self.skipped + sum(tally.dispatches for tally in self._passing),
            failures=self.failures,
            timeouts=self.timeouts,
            rejected=self.rejected,
            timed_calls=self.timed_calls,
            mean_seconds=self.timed_ns / self.timed_calls / 1e9 if self.timed_calls else None,
        )

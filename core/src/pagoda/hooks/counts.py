"""What each handler did in this process."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerStatistics:
    """What one handler did in this process."""

    calls: int
    failures: int  # contained, timeouts among them
    timeouts: int  # cut off
    rejected: int  # writes refused
    skipped: int  # dispatches without it: ended before its turn, or it was out of service
    timed_calls: int  # a sample, see `pagoda.hooks.dispatch`
    mean_seconds: float | None  # of the timed calls; None before the first


class HandlerCounts:
    """The counters behind one handler's statistics.

    ``counts.calls += 1`` is exact in threads too: CPython switches them at calls and backward jumps alone.
    """

    __slots__ = ("calls", "failures", "rejected", "skipped", "timed_calls", "timed_ns", "timeouts")

    def __init__(self) -> None:
        self.calls = self.failures = self.timeouts = self.rejected = self.skipped = 0
        self.timed_calls = self.timed_ns = 0

    def add_time_since(self, started: int) -> int:
        """Note how long one call took, and return when it ended; both of `time.perf_counter_ns`."""
        ended = perf_counter_ns()
        self.timed_calls += 1
        self.timed_ns += ended - started
        return ended

    def statistics(self) -> HandlerStatistics:
        """Return the figures as of now."""
        return HandlerStatistics(
            calls=self.calls,
            failures=self.failures,
            timeouts=self.timeouts,
            rejected=self.rejected,
            skipped=self.skipped,
            timed_calls=self.timed_calls,
            mean_seconds=self.timed_ns / self.timed_calls / 1e9 if self.timed_calls else None,
        )

"""When a breaker opens and closes: plain decisions about rows, without clock or store."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pagoda.config.settings import Settings
from pagoda.fencing.rows import Batch, Row
from pagoda.fencing.states import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The operator's limits."""

    min_calls: int = 20  # before the ratio counts
    failure_ratio: float = 0.5
    consecutive_failures: int = 5  # of one handler, view or operation; whatever the number of calls
    window_seconds: float = 60.0
    cooldown_seconds: float = 30.0
    dry_run: bool = False  # decide and tell, but take nothing out of service
    pinned: frozenset[str] = frozenset()  # plugins that stay in service whatever they do

    @classmethod
    def of(cls, settings: Settings) -> Policy:
        """Return what the settings say."""
        return cls(
            min_calls=settings.breaker_min_calls,
            failure_ratio=settings.breaker_failure_ratio,
            consecutive_failures=settings.breaker_consecutive_failures,
            window_seconds=settings.breaker_window_seconds,
            cooldown_seconds=settings.breaker_cooldown_seconds,
            dry_run=settings.breaker_dry_run,
            pinned=frozenset(settings.breaker_pinned),
        )

    def counted(self, row: Row, batch: Batch, now: float, process: str) -> Row:
        """Return `row` with what `process` counted; itself where that changes nothing.

        Only the process that probes is heard while the breaker is not closed: what others report was begun
        before it opened.
        """
        if row.status == "closed":
            counted = self._added(row, batch, now)
            reason = "" if row.plugin in self.pinned else self._reason_to_open(counted)
            return self._opened(counted, reason, now) if reason else counted
        if row.status == "open" or row.holder != process or not batch.calls:
            return row
        if batch.failures:
            failed = replace(row, last_error=batch.last_error)
            return self._opened(failed, f"the probe failed: {batch.last_error}", now)
        renewed = replace(row, calls=0, failures=0, streaks={}, window=now, retry_at=0.0, holder="")
        return _moved(renewed, "closed", "the probe succeeded", now)

    def probing(self, row: Row, now: float, process: str) -> Row:
        """Return `row` with `process` as the one that probes; itself when it is not time for that.

        A probe that is not reported within another cool-down is lost, and another one may go.
        """
        if row.status == "closed" or now < row.retry_at:
            return row
        taken = replace(row, holder=process, retry_at=now + self.cooldown_seconds)
        return _moved(taken, "half_open", "the cool-down is over", now)

    def retried(self, row: Row, now: float) -> Row:
        """Return `row` so that the next call may probe; itself when the surface is in service.

        It is due since it opened: for a process, too, whose clock is behind that of who asks for it.
        """
        if row.status == "closed":
            return row
        return replace(row, retry_at=min(row.since, now))

    def bounded(self, row: Row, now: float) -> Row:
        """Return a stored row as far as it is believed: no surface is out of service beyond the cool-down.

        Clocks of hosts may differ by a cool-down; a moment beyond that is none, and taken as long ago.
        """
        latest = now + self.cooldown_seconds
        since = row.since if row.since <= latest else 0.0
        window = row.window if row.window <= latest else 0.0
        retry_at = min(row.retry_at, since + self.cooldown_seconds)
        if (since, window, retry_at) == (row.since, row.window, row.retry_at):
            return row
        return replace(row, since=since, window=window, retry_at=retry_at)

    def admits(self, row: Row, process: str) -> bool:
        """Return whether `process` may run the surface's code."""
        return self.dry_run or row.status == "closed" or (row.status == "half_open" and row.holder == process)

    def _added(self, row: Row, batch: Batch, now: float) -> Row:
        is_over = now - row.window > self.window_seconds
        return replace(
            row,
            window=now if is_over else row.window,
            calls=batch.calls + (0 if is_over else row.calls),
            failures=batch.failures + (0 if is_over else row.failures),
            streaks=batch.merged_streaks(row.streaks),
            last_error=batch.last_error or row.last_error,
        )

    def _reason_to_open(self, row: Row) -> str:
        name, streak = max(row.streaks.items(), key=lambda item: item[1], default=("", 0))
        if streak >= self.consecutive_failures:
            return f"{name} failed {streak} times in a row, the last time with {row.last_error}"
        if row.failures and row.calls >= self.min_calls and row.failures >= self.failure_ratio * row.calls:
            return f"{row.failures} of {row.calls} calls failed, the last one with {row.last_error}"
        return ""

    def _opened(self, row: Row, reason: str, now: float) -> Row:
        opened = replace(row, retry_at=now + self.cooldown_seconds, holder="")
        return _moved(opened, "open", reason, now)


def _moved(row: Row, status: Status, reason: str, now: float) -> Row:
    return replace(row, status=status, reason=reason, since=now)

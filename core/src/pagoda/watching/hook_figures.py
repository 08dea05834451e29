"""What the handlers of hooks did since the last look, from their counters: nothing is added to a call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from pagoda.hooks.manager import manager
from pagoda.hooks.records import HandlerRecord, HandlerStatistics


@dataclass(frozen=True, slots=True, kw_only=True)
class HookDelta:
    """What one handler did between two looks."""

    plugin: str
    hook: str
    ok: int
    rejected: int
    raised: int
    timeout: int
    timed: int  # calls whose duration is known: a sample
    seconds: float  # mean of those

    @property
    def results(self) -> dict[str, int]:
        """Return ``{result: calls}``."""
        return {"ok": self.ok, "rejected": self.rejected, "raised": self.raised, "timeout": self.timeout}


type Receiver = Callable[[HookDelta], None]


class HookWatch:
    """Reads the differences of the process's counters and hands them to receivers. Safe in threads."""

    def __init__(self) -> None:
        self._known: dict[HandlerRecord, HandlerStatistics] = {}
        self._lock = Lock()

    def look(self, *receivers: Receiver) -> None:
        """Hand what every handler did since the last look to each receiver."""
        with self._lock:
            deltas = [delta for record in manager().records() if (delta := self._delta(record))]
        for delta in deltas:
            for receive in receivers:
                receive(delta)

    def _delta(self, record: HandlerRecord) -> HookDelta | None:
        try:
            now = manager().statistics(record)
        except KeyError:  # taken out a moment ago
            self._known.pop(record, None)
            return None
        before, self._known[record] = self._known.get(record), now
        calls = now.calls - (before.calls if before else 0)
        if calls <= 0:
            return None
        raised = now.failures - (before.failures if before else 0)
        timeout = now.timeouts - (before.timeouts if before else 0)
        rejected = now.rejected - (before.rejected if before else 0)
        timed = now.timed_calls - (before.timed_calls if before else 0)
        spent = (now.mean_seconds or 0.0) * now.timed_calls
        spent -= (before.mean_seconds or 0.0) * before.timed_calls if before else 0.0
        return HookDelta(
            plugin=record.plugin_id,
            hook=record.hook,
            ok=max(0, calls - raised - rejected),
            rejected=rejected,
            raised=raised - timeout,
            timeout=timeout,
            timed=timed,
            seconds=max(0.0, spent / timed) if timed else 0.0,
        )

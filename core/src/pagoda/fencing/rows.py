"""What is stored of a breaker, and what is added to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from pagoda.fencing.foreign_rows import COUNT_MAX, RowReader
from pagoda.fencing.outcomes import Surface
from pagoda.fencing.states import BreakerState, Status
from pagoda_plugin_sdk.washing import washed

type Key = tuple[str, Surface]
"""Plugin and surface."""

ERROR_MAX = 500

# What a row may hold that another process wrote
type Count = Annotated[int, Field(strict=True, ge=0), AfterValidator(lambda count: min(count, COUNT_MAX))]
type Moment = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
type Words = Annotated[str, AfterValidator(lambda text: washed(text, ERROR_MAX))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One breaker. Times are seconds since the epoch."""

    plugin: str
    surface: Surface
    status: Status = "closed"
    since: Moment = 0.0  # when the status began; half-open: when the latest probe did
    window: Moment = 0.0  # when the counting began
    calls: Count = 0  # in the window
    failures: Count = 0  # among them
    streaks: Mapping[str, Count] = field(default_factory=dict)  # {name: its failures since it last succeeded}
    last_error: Words = ""
    reason: Words = ""  # for the status
    retry_at: Moment = 0.0  # open: when a probe may go; half-open: when the probe counts as lost
    holder: Words = ""  # half-open: the process that probes
    version: Count = 0  # grows with every change, for compare-and-set

    @property
    def key(self) -> Key:
        """Return what it is the breaker of."""
        return self.plugin, self.surface

    @property
    def has_failures(self) -> bool:
        """Return whether it has failed in its window, or is out of service."""
        return bool(self.status != "closed" or self.failures or self.streaks)

    def shown(self, *, dry_run: bool) -> BreakerState:
        """Return it as others see it."""
        return BreakerState(
            plugin=self.plugin,
            surface=self.surface,
            state=self.status,
            since=datetime.fromtimestamp(self.since, UTC),
            calls=self.calls,
            failures=self.failures,
            last_error=self.last_error,
            retry_at=None if self.status == "closed" else datetime.fromtimestamp(self.retry_at, UTC),
            dry_run=dry_run,
        )


READER: RowReader[Row] = RowReader("breaker", Row)


@dataclass(slots=True, kw_only=True)
class Batch:
    """What one process has counted and not stored yet."""

    calls: int = 0
    failures: int = 0
    streaks: dict[str, int] = field(default_factory=dict)  # {name: failures since its last success}
    renewed: set[str] = field(default_factory=set)  # names that succeeded before their streak, if any
    last_error: str = ""
    began: float = 0.0  # when the counting began

    def succeed(self, name: str, calls: int = 1) -> None:
        """Count calls that did no harm."""
        self.calls += calls
        self.streaks.pop(name, None)
        self.renewed.add(name)

    def fail(self, name: str, error: str) -> None:
        """Count one call that failed."""
        self.calls += 1
        self.failures += 1
        self.streaks[name] = self.streaks.get(name, 0) + 1
        self.last_error = washed(error, ERROR_MAX)

    def merged_streaks(self, before: Mapping[str, int]) -> dict[str, int]:
        """Return the streaks of `before` as they go on with these."""
        kept = {name: count for name, count in before.items() if name not in self.renewed}
        return kept | {name: kept.get(name, 0) + count for name, count in self.streaks.items()}

    def followed_by(self, newer: Batch) -> Batch:
        """Return both as one."""
        return Batch(
            calls=self.calls + newer.calls,
            failures=self.failures + newer.failures,
            streaks=newer.merged_streaks(self.streaks),
            renewed=self.renewed | newer.renewed,
            last_error=newer.last_error or self.last_error,
            began=self.began,
        )

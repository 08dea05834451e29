"""Starts the jobs of schedules, one per tick however many dispatchers there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from celery.schedules import crontab

from pagoda.jobs import cron, store
from pagoda.jobs.models import Job
from pagoda.jobs.operations import OperationSpec
from pagoda.jobs.sayings import SCHEDULED


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """An operation that runs by the clock."""

    operation: OperationSpec
    due: crontab

    @property
    def name(self) -> str:
        """Return what its ticks are kept under."""
        return self.operation.task_name


@dataclass(slots=True)
class Schedules:
    """The schedules of one dispatcher."""

    entries: tuple[Schedule, ...]
    _looked_at: datetime | None = None  # the minute that was looked at last
    _not_before: dict[str, datetime] = field(default_factory=dict)  # {schedule: tick that needs no look}

    @classmethod
    def of(cls, specs: Iterable[OperationSpec]) -> Schedules:
        """Return the schedules that operations declare."""
        return cls(
            tuple(
                Schedule(operation=spec, due=cron.parse(spec.options.schedule))
                for spec in specs
                if spec.options is not None and spec.options.schedule is not None
            )
        )

    def start_due(self, now: datetime) -> list[Job]:
        """Submit the jobs whose tick has come by `now`, the database's time, and that nobody else started.

        Ticks that passed while no dispatcher ran are made up for by one run, within `cron.CATCH_UP`.
        """
        minute = now.replace(second=0, microsecond=0)
        if minute == self._looked_at:
            return []
        jobs = [job for entry in self.entries if (job := self._start(entry, minute)) is not None]
        self._looked_at = minute
        return jobs

    def _start(self, entry: Schedule, now: datetime) -> Job | None:
        if entry.name not in self._not_before:
            self._not_before[entry.name] = store.latest_tick(entry.name) or now
        tick = cron.latest_tick(entry.due, now=now, not_before=self._not_before[entry.name])
        if tick is None:
            return None
        request = store.JobRequest(
            operation=entry.operation, text=SCHEDULED.format(tick=f"{tick:%Y-%m-%d %H:%M}")
        )
        job = store.take_tick(entry.name, tick, request)
        self._not_before[entry.name] = tick
        return job

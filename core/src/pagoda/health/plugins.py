"""How the plugins are: load, endpoints, hooks and tasks of each, by the thresholds of the settings.

Everything comes from the database and from what this process has loaded; nobody is asked over the broker.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db.models import Max

from pagoda.config.settings import Settings
from pagoda.fencing import BreakerState, Surface, breaker_states
from pagoda.fencing.states import probe_of
from pagoda.jobs import runtime as jobs
from pagoda.plugins.records import PluginRecord, PluginStatus
from pagoda.plugins.registry import registry
from pagoda.watching.histogram import percentile
from pagoda.watching.jobs_ended import JobsEnded, jobs_ended, last_successes
from pagoda.watching.models import TrafficMinute
from pagoda.watching.queues import Queue, queues
from pagoda.watching.thresholds import Exceeded, calls_exceeded, jobs_exceeded, queue_exceeded, queue_plugin
from pagoda.watching.traffic import Figures, figures_since
from pagoda_plugin_sdk.rules.saying import say


@enum.unique
class HealthStatus(enum.StrEnum):
    """How something is, from good to bad."""

    OK = "ok"
    IDLE = "idle"  # nothing to judge it by
    DEGRADED = "degraded"  # it works, and is beyond a threshold
    FAILING = "failing"  # it does not work


@dataclass(slots=True, kw_only=True)
class SurfaceHealth:
    """How one surface of a plugin is."""

    status: HealthStatus = HealthStatus.IDLE
    text: str = ""  # what is wrong, "" when nothing is
    remedy: str = ""  # sentences: what to do about it
    facts: dict[str, Any] = field(default_factory=dict)  # JSON values

    def worsen(self, status: HealthStatus, text: str, remedy: str = "") -> None:
        """Note something that is wrong, and what mends it."""
        self.text = f"{self.text}; {text}" if self.text else text
        if remedy not in self.remedy:
            self.remedy = f"{self.remedy} {remedy}".strip()
        self.status = max(self.status, status, key=list(HealthStatus).index)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"status": self.status.value, "text": self.text, "remedy": self.remedy, **self.facts}


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginHealth:
    """How one plugin is."""

    id: str
    surfaces: Mapping[str, SurfaceHealth]  # load, endpoint, hook, task

    @property
    def status(self) -> HealthStatus:
        """Return the status of the worst surface; an idle one is no worry."""
        found = [surface.status for surface in self.surfaces.values()]
        worst = max(found, key=list(HealthStatus).index)
        return HealthStatus.OK if worst is HealthStatus.IDLE else worst

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        surfaces = {name: surface.to_json() for name, surface in self.surfaces.items()}
        return {"id": self.id, "status": self.status.value, **surfaces}


def plugin_health() -> list[PluginHealth]:
    """Return how each enabled plugin is, in load order, and then each that is not and has unfinished jobs."""
    settings = jobs.host_settings()
    loads = {record.id: _load(record) for record in registry().records}
    sources = _Sources(settings, loads)
    left = {plugin: _not_enabled() for plugin in sources.with_jobs if plugin not in loads}
    return [
        PluginHealth(
            id=plugin,
            surfaces={
                "load": load,
                "endpoint": sources.calls(plugin, "endpoint"),
                "hook": sources.calls(plugin, "hook"),
                "task": sources.task(plugin),
            },
        )
        for plugin, load in (loads | left).items()
    ]


class _Sources:
    """What is known of all plugins, read once."""

    def __init__(self, settings: Settings, enabled: Iterable[str]) -> None:
        self._settings = settings
        self._figures = figures_since(settings.health_window_minutes)
        self._successes = _successes()
        self._breakers = {(state.plugin, state.surface): state for state in breaker_states()}
        self._jobs = jobs_ended(settings.health_window_minutes)
        self._queues = queues()
        self._finished = last_successes([*enabled, *self.with_jobs])

    @property
    def with_jobs(self) -> list[str]:
        """Return the plugins whose queues hold unfinished jobs."""
        names = [queue_plugin(queue.name) for queue in self._queues.values() if queue.phases]
        return [name for name in names if name]

    def calls(self, plugin: str, surface: Surface) -> SurfaceHealth:
        """Return how the endpoints or hooks of a plugin are."""
        figures = self._figures.get((plugin, surface), Figures())
        p95 = percentile(figures.buckets, 0.95)
        found = SurfaceHealth(
            facts={
                "calls": figures.calls,
                "failures": figures.failures,
                "error_ratio": _ratio(figures.failures, figures.calls),
                "p95_seconds": _rounded(p95),
                "last_success": _text(self._successes.get((plugin, surface))),
            }
        )
        breaker = self._breakers.get((plugin, surface))
        self._judge(found, figures.calls, calls_exceeded(surface, figures, breaker, self._settings))
        self._judge_breaker(found, breaker)
        return found

    def task(self, plugin: str) -> SurfaceHealth:
        """Return how the jobs of a plugin and their queue are."""
        ended = self._jobs.get(plugin, JobsEnded())
        queue = self._queues.get(f"plugin.{plugin}", Queue(name=f"plugin.{plugin}"))
        found = SurfaceHealth(
            facts={
                "jobs": ended.count,
                "failures": ended.errors,
                "error_ratio": _ratio(ended.errors, ended.count),
                "p95_seconds": _rounded(ended.p95_seconds),
                "last_success": _text(self._finished.get(plugin)),
                "queue": queue.name,
                "queue_depth": queue.depth,
                "queue_age_seconds": round(queue.oldest_seconds, 1),
                "workers": queue.consumers,
            }
        )
        settings = self._settings
        self._judge(found, ended.count, (*jobs_exceeded(ended, settings), *queue_exceeded(queue, settings)))
        self._judge_breaker(found, self._breakers.get((plugin, "task")))
        return found

    def _judge(self, found: SurfaceHealth, calls: int, exceeded: Iterable[Exceeded]) -> None:
        if calls:
            found.status = HealthStatus.OK
        for one in exceeded:
            status = HealthStatus.FAILING if one.is_failing else HealthStatus.DEGRADED
            limit = "" if one.is_failing else say(", the limit is {limit}", limit=one.limit)
            found.worsen(status, f"{one.value}{limit}", one.remedy)

    def _judge_breaker(self, found: SurfaceHealth, breaker: BreakerState | None) -> None:
        found.facts["breaker"] = breaker.state if breaker is not None else "closed"
        if breaker is None or breaker.state == "closed":
            return
        status = HealthStatus.FAILING if breaker.state == "open" else HealthStatus.DEGRADED
        text = say("its breaker is open") if breaker.state == "open" else say("its breaker is half-open")
        probe = probe_of(breaker.state, breaker.retry_at)
        found.worsen(status, text, f"{say('Mend what `pagoda plugins doctor` tells.')} {probe}")


def _doctor() -> str:
    return say("`pagoda plugins doctor` tells more.")


def _not_enabled() -> SurfaceHealth:
    text = say("not enabled, with unfinished jobs: enable it, or cancel them")
    return SurfaceHealth(
        status=HealthStatus.DEGRADED, text=text, facts={"state": "not_enabled", "reason_code": None}
    )


def _load(record: PluginRecord) -> SurfaceHealth:
    found = SurfaceHealth(
        status=HealthStatus.OK,
        facts={
            "state": record.status.value,
            "reason_code": record.reason_code.value if record.reason_code else None,
        },
    )
    if record.status is not PluginStatus.ACTIVE:
        found.worsen(HealthStatus.FAILING, record.reason or record.status.value, _doctor())
    for fault in record.faults:
        found.worsen(HealthStatus.DEGRADED, fault.text, _doctor())
    return found


def _successes() -> dict[tuple[str, str], datetime]:
    credible = TrafficMinute.objects.filter(ok__gt=0, minute__range=(0, int(time.time() // 60) + 1))
    rows = credible.order_by().values_list("plugin", "surface")
    return {
        (plugin, surface): datetime.fromtimestamp(minute * 60, UTC)
        for plugin, surface, minute in rows.annotate(Max("minute"))
    }


def _ratio(failures: int, calls: int) -> float | None:
    return round(failures / calls, 4) if calls else None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")

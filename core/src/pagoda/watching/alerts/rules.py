"""What is worth an alert. The names are stable; docs/observability.md lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from pagoda.config.settings import Settings
from pagoda.fencing import breaker_states
from pagoda.jobs import runtime
from pagoda.jobs.clock import after
from pagoda.watching.jobs_ended import jobs_ended
from pagoda.watching.models import PermissionUse
from pagoda.watching.presence import living, skipped_anywhere
from pagoda.watching.queues import queues
from pagoda.watching.thresholds import (
    Exceeded,
    calls_exceeded,
    jobs_exceeded,
    queue_exceeded,
    queue_plugin,
)
from pagoda.watching.traffic import figures_since

SETTLED_SECONDS = 60.0
"""A process is compared with others once it is so old: those that it replaces are gone by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFinding:
    """Something that is wrong now."""

    subject: str  # what the alert is about: a plugin, a queue, a breaker
    text: str  # the fact, and what to do
    plugin: str = ""  # whose it is, by which it may be silenced


type Rule = Callable[[Facts], Iterable[AlertFinding]]


def plugin_skipped(_facts: Facts) -> Iterator[AlertFinding]:
    """A plugin was left out by a running process, or is at fault in it."""
    found: dict[str, tuple[str, set[str]]] = {}
    for service, skipped in skipped_anywhere():
        for plugin, reason in skipped.items():
            found.setdefault(plugin, (reason, set()))[1].add(service)
    for plugin, (reason, services) in sorted(found.items()):
        where = ", ".join(sorted(services))
        text = f"Plugin {plugin!r} is skipped or at fault ({reason}) in {where}: see `pagoda plugins check`."
        yield AlertFinding(subject=plugin, text=text, plugin=plugin)


def breaker_open(_facts: Facts) -> Iterator[AlertFinding]:
    """A surface of a plugin is out of service."""
    for breaker in breaker_states():
        if breaker.state == "open":
            dry = " (dry run: it goes on serving)" if breaker.dry_run else ""
            text = (
                f"The {breaker.surface}s of plugin {breaker.plugin!r} are out of service{dry}: "
                f"{breaker.failures} of {breaker.calls} calls failed, the last with {breaker.last_error!r}."
            )
            yield AlertFinding(
                subject=f"{breaker.plugin}/{breaker.surface}", text=text, plugin=breaker.plugin
            )


class Facts:
    """What is known at one moment, read once for all rules."""

    @cached_property
    def settings(self) -> Settings:
        """Return the host's settings."""
        return runtime.host_settings()

    @cached_property
    def exceeded(self) -> list[tuple[str, AlertFinding]]:
        """Return ``(alert, finding)`` for each threshold of health that is exceeded."""
        return [*self._calls(), *self._jobs(), *self._queues()]

    def _calls(self) -> Iterator[tuple[str, AlertFinding]]:
        breakers = {(state.plugin, str(state.surface)): state for state in breaker_states()}
        for (plugin, surface), figures in figures_since(self.settings.health_window_minutes).items():
            for one in calls_exceeded(surface, figures, breakers.get((plugin, surface)), self.settings):
                yield one.alert, _finding(f"the {surface}s of plugin {plugin!r}", plugin, plugin, one)

    def _jobs(self) -> Iterator[tuple[str, AlertFinding]]:
        settings = _overridden(
            self.settings,
            health_error_ratio=self.settings.alert_job_error_ratio,
            health_min_calls=self.settings.alert_job_min,
        )
        for plugin, ended in jobs_ended(settings.health_window_minutes).items():
            for one in jobs_exceeded(ended, settings):
                what = f"the jobs of plugin {plugin!r}" if plugin else "the jobs of the host"
                yield one.alert, _finding(what, plugin or "core", plugin, one)

    def _queues(self) -> Iterator[tuple[str, AlertFinding]]:
        settings = _overridden(self.settings, health_queue_age_seconds=self.settings.alert_queue_age_seconds)
        for queue in queues().values():
            for one in queue_exceeded(queue, settings):
                # A worker that restarts is no news
                if one.alert != "no_consumer" or queue.oldest_seconds > settings.alert_no_consumer_seconds:
                    what = f"queue {queue.name!r}"
                    yield one.alert, _finding(what, queue.name, queue_plugin(queue.name), one)


def _overridden(settings: Settings, **limits: float | None) -> Settings:
    """Return the settings with the limits that alerts have of their own."""
    return settings.model_copy(update={name: limit for name, limit in limits.items() if limit is not None})


def _finding(what: str, subject: str, plugin: str, one: Exceeded) -> AlertFinding:
    text = f"{what[0].upper()}{what[1:]}: {one.value}, the limit is {one.limit}. {one.remedy}"
    return AlertFinding(subject=subject, text=text, plugin=plugin)


def _threshold(alert: str) -> Rule:
    """Return the rule of one threshold of health."""
    return lambda facts: (finding for name, finding in facts.exceeded if name == alert)


def digest_mismatch(_facts: Facts) -> Iterator[AlertFinding]:
    """Processes run with different plugins, versions or operation ids."""
    settled = living().filter(started_at__lt=after(-SETTLED_SECONDS)).exclude(digest="")
    services: dict[str, set[str]] = {}
    for digest, service in settled.values_list("digest", "service"):
        services.setdefault(digest, set()).add(service)
    if len(services) > 1:
        shown = "; ".join(
            f"{digest[:12]}: {', '.join(sorted(names))}" for digest, names in sorted(services.items())
        )
        text = (
            f"Processes run with {len(services)} different registry digests ({shown}). Give all the same "
            "plugins, versions and PLUGIN_OPERATION_ID_CONFIG, and restart them."
        )
        yield AlertFinding(subject="registry", text=text)


def plugin_refused(facts: Facts) -> Iterator[AlertFinding]:
    """A plugin did what neither its user's rights nor its own allow."""
    window = after(-60.0 * facts.settings.health_window_minutes)
    recent = PermissionUse.objects.filter(refused_time__gt=window)
    wishes: dict[str, list[str]] = {}
    for plugin, what in recent.order_by("plugin", "what").values_list("plugin", "what"):
        wishes.setdefault(plugin, []).append(what)
    for plugin, refused in wishes.items():
        text = (
            f"Plugin {plugin!r} was refused: {', '.join(refused)}. Grant what it may have in "
            f"PLUGIN_PERMISSIONS (`pagoda plugins permissions {plugin}`), or take it out of service."
        )
        yield AlertFinding(subject=plugin, text=text, plugin=plugin)


THRESHOLDS = (
    *("endpoint_errors", "endpoint_p95", "endpoint_refused", "hook_errors", "hook_p95", "job_errors"),
    *("queue_depth", "queue_age", "no_consumer"),
)
"""Names of the alerts of health's thresholds."""

RULES: Mapping[str, Rule] = MappingProxyType(
    {rule.__name__: rule for rule in (plugin_skipped, breaker_open, digest_mismatch, plugin_refused)}
    | {alert: _threshold(alert) for alert in THRESHOLDS}
)
"""``{name: rule}``"""

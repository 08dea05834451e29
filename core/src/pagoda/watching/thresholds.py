"""The thresholds that plugins and queues are held against: health tells of them, and each has its alert."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pagoda.config.settings import Settings
from pagoda.fencing import BreakerState
from pagoda.jobs.plugin_host import active_plugin_ids
from pagoda.watching.histogram import percentile
from pagoda.watching.jobs_ended import JobsEnded
from pagoda.watching.queues import Queue
from pagoda.watching.traffic import Figures
from pagoda_plugin_sdk.rules.saying import say

FAILING_RATIO = 0.5
"""Above this share of errors something is failing, not merely degraded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceeded:
    """Something that is beyond its threshold now."""

    alert: str  # its name, as in docs/observability.md
    value: str  # "187 of 1000 failed (18.7 %)"
    limit: str  # "10 % (HEALTH_ERROR_RATIO)"
    remedy: str  # sentence
    is_failing: bool = False  # it does not work; else it is degraded


def calls_exceeded(
    surface: str, figures: Figures, breaker: BreakerState | None, settings: Settings
) -> Iterator[Exceeded]:
    """Yield what the endpoints or the hooks of a plugin exceed: errors, duration, use."""
    yield from _errors(f"{surface}_errors", figures.failures, figures.calls, settings)
    p95 = percentile(figures.buckets, 0.95)
    if p95 is not None and figures.calls >= settings.health_min_calls and p95 > settings.health_p95_seconds:
        yield Exceeded(
            alert=f"{surface}_p95",
            value=say("p95 is {p95:.2g} s", p95=p95),
            limit=f"{settings.health_p95_seconds:g} s (HEALTH_P95_SECONDS)",
            remedy=say("Have it do less in the request, or in a job."),
        )
    refused = figures.results["skipped"]
    asked = figures.calls + refused
    is_open = breaker is not None and breaker.state == "open"  # which has an alert of its own
    limit = settings.health_refused_ratio
    if not is_open and asked >= settings.health_min_calls and refused / asked > limit:
        yield Exceeded(
            alert=f"{surface}_refused",
            value=say(
                "{refused} of {asked} were turned away ({share:.1%})",
                refused=refused,
                asked=asked,
                share=refused / asked,
            ),
            limit=f"{limit:.0%} (HEALTH_REFUSED_RATIO)",
            remedy=say("Make it faster, or raise PLUGIN_MAX_CONCURRENT_REQUESTS or API_WORKERS."),
        )


def jobs_exceeded(ended: JobsEnded, settings: Settings) -> Iterator[Exceeded]:
    """Yield what the jobs of a plugin that ended exceed."""
    yield from _errors("job_errors", ended.errors, ended.count, settings)


def queue_exceeded(queue: Queue, settings: Settings) -> Iterator[Exceeded]:
    """Yield what a queue exceeds: depth, age, and jobs that no living worker consumes."""
    if queue.depth > settings.health_queue_depth:
        yield Exceeded(
            alert="queue_depth",
            value=say("{depth} jobs wait", depth=queue.depth),
            limit=f"{settings.health_queue_depth} (HEALTH_QUEUE_DEPTH)",
            remedy=_remedy(queue),
        )
    if queue.oldest_seconds > settings.health_queue_age_seconds:
        yield Exceeded(
            alert="queue_age",
            value=say("a job has waited {seconds:.0f} s", seconds=queue.oldest_seconds),
            limit=f"{settings.health_queue_age_seconds:g} s (HEALTH_QUEUE_AGE_SECONDS)",
            remedy=_remedy(queue),
        )
    if queue.depth and not queue.consumers:
        yield Exceeded(
            alert="no_consumer",
            value=say("{depth} jobs wait and no worker lives", depth=queue.depth),
            limit=f"{settings.alert_no_consumer_seconds:g} s (ALERT_NO_CONSUMER_SECONDS)",
            remedy=_remedy(queue),
            is_failing=True,
        )


def queue_plugin(queue: str) -> str:
    """Return the plugin whose queue it is, "" for the host's own."""
    return queue.removeprefix("plugin.") if queue.startswith("plugin.") else ""


def _remedy(queue: Queue) -> str:
    plugin = queue_plugin(queue.name)
    if plugin and plugin not in active_plugin_ids():
        return say(
            "Plugin {plugin!r} is not active: enable it, or look at its jobs with "
            "`pagoda jobs list --plugin {plugin}` and end them with `pagoda jobs cancel ID`.",
            plugin=plugin,
        )
    which = f"--plugin {plugin}" if plugin else "--core"
    return say(
        "{count} worker(s) live; start more: `pagoda-worker run {which}`.", count=queue.consumers, which=which
    )


def _errors(alert: str, failures: int, calls: int, settings: Settings) -> Iterator[Exceeded]:
    if calls >= settings.health_min_calls and failures / calls > settings.health_error_ratio:
        yield Exceeded(
            alert=alert,
            value=say(
                "{failures} of {calls} failed ({share:.1%})",
                failures=failures,
                calls=calls,
                share=failures / calls,
            ),
            limit=f"{settings.health_error_ratio:.0%} (HEALTH_ERROR_RATIO)",
            remedy=say("`pagoda plugins doctor` and the log tell the causes."),
            is_failing=failures / calls > FAILING_RATIO,
        )

"""What is worth an alert. The names are stable; docs/observability.md lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pagoda.fencing import breaker_states
from pagoda.jobs import runtime
from pagoda.jobs.clock import after
from pagoda.watching.jobs_ended import jobs_ended
from pagoda.watching.presence import living
from pagoda.watching.queues import queues

SETTLED_SECONDS = 60.0
"""A process is compared with others once it is so old: those that it replaces are gone by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong now."""

    subject: str  # what the alert is about: a plugin, a queue, a breaker
    text: str  # the fact, and what to do
    plugin: str = ""  # whose it is, by which it may be silenced


type Rule = Callable[[], Iterator[Finding]]


def plugin_skipped() -> Iterator[Finding]:
    """A plugin was left out by a running process, or is at fault in it."""
    found: dict[str, tuple[str, set[str]]] = {}
    for service, skipped in living().values_list("service", "skipped"):
        for plugin, reason in skipped.items():
            found.setdefault(plugin, (reason, set()))[1].add(service)
    for plugin, (reason, services) in sorted(found.items()):
        where = ", ".join(sorted(services))
        text = f"Plugin {plugin!r} is skipped or at fault ({reason}) in {where}: see `pagoda plugins check`."
        yield Finding(subject=plugin, text=text, plugin=plugin)


def breaker_open() -> Iterator[Finding]:
    """A surface of a plugin is out of service."""
    for breaker in breaker_states():
        if breaker.state == "open":
            dry = " (dry run: it goes on serving)" if breaker.dry_run else ""
            text = (
                f"The {breaker.surface}s of plugin {breaker.plugin!r} are out of service{dry}: "
                f"{breaker.failures} of {breaker.calls} calls failed, the last with {breaker.last_error!r}."
            )
            yield Finding(subject=f"{breaker.plugin}/{breaker.surface}", text=text, plugin=breaker.plugin)


def queue_age() -> Iterator[Finding]:
    """A job waits too long for a worker."""
    limit = runtime.host_settings().alert_queue_age_seconds
    for queue in queues().values():
        if queue.oldest_seconds > limit:
            text = (
                f"A job in queue {queue.name!r} has waited {queue.oldest_seconds:.0f} s for a worker, "
                f"the limit is {limit:g} s; {queue.depth} wait, {queue.consumers} worker(s) live."
            )
            yield Finding(subject=queue.name, text=text, plugin=_plugin_of(queue.name))


def no_consumer() -> Iterator[Finding]:
    """Jobs wait in a queue that no living worker consumes."""
    limit = runtime.host_settings().alert_no_consumer_seconds
    for queue in queues().values():
        if queue.depth and not queue.consumers and queue.oldest_seconds > limit:
            which = f"--plugin {_plugin_of(queue.name)}" if _plugin_of(queue.name) else "--core"
            text = (
                f"{queue.depth} job(s) wait in queue {queue.name!r} and no worker consumes it. "
                f"Start one: `pagoda-worker run {which}`."
            )
            yield Finding(subject=queue.name, text=text, plugin=_plugin_of(queue.name))


def job_errors() -> Iterator[Finding]:
    """Too many of a plugin's jobs end in errors."""
    settings = runtime.host_settings()
    for plugin, jobs in jobs_ended(settings.health_window_minutes).items():
        if jobs.count >= settings.alert_job_min and jobs.error_ratio >= settings.alert_job_error_ratio:
            text = (
                f"{jobs.errors} of {jobs.count} jobs of {plugin or 'the host'!r} ended in errors within "
                f"{settings.health_window_minutes} min. `pagoda jobs list --status error` shows them."
            )
            yield Finding(subject=plugin or "core", text=text, plugin=plugin)


def digest_mismatch() -> Iterator[Finding]:
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
        yield Finding(subject="registry", text=text)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        rule.__name__: rule
        for rule in (plugin_skipped, breaker_open, queue_age, no_consumer, job_errors, digest_mismatch)
    }
)
"""``{name: rule}``"""


def _plugin_of(queue: str) -> str:
    return queue.removeprefix("plugin.") if queue.startswith("plugin.") else ""

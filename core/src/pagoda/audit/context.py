"""Who does what the calling code does, on whose behalf, and through which plugin.

The ids are those that logs carry, so that a log line and an audit event of one request or job always agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from structlog.contextvars import get_contextvars

from pagoda.domain.acting import acting_user
from pagoda_plugin_sdk.washing import washed

HOST = "host"
JOB = "job"

PluginFinder = Callable[[], str | None]
"""Returns the id of the plugin whose code is being run, None when it is the host's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an event comes from: the fields of `AuditEvent` that say so."""

    actor_id: int | None
    actor: str
    on_behalf_of_id: int | None
    on_behalf_of: str
    plugin: str
    request_id: str
    job_id: int | None


class _ContextPort:
    """Where the plugin runtime, which lies above, says whose code runs."""

    find_plugin: PluginFinder | None = None


def set_plugin_finder(finder: PluginFinder | None) -> None:
    """Set what tells whose code runs; without it the plugin that the logs name is meant."""
    _ContextPort.find_plugin = finder


def origin() -> Origin:
    """Return where the calling code's events come from.

    In a job the job is the actor and its user the one on whose behalf it acts.
    """
    bound, user = get_contextvars(), acting_user()
    job_id = bound.get("job_id")
    user_id, name = (None, "") if user is None else (user.pk, user.get_username())
    is_job, find_plugin = job_id is not None, _ContextPort.find_plugin
    return Origin(
        actor_id=None if is_job else user_id,
        actor=JOB if is_job else name or HOST,
        on_behalf_of_id=user_id if is_job else None,
        on_behalf_of=name if is_job else "",
        plugin=(find_plugin() if find_plugin else None) or bound.get("plugin") or "",
        request_id=washed(bound.get("request_id", ""), 100),
        job_id=job_id,
    )

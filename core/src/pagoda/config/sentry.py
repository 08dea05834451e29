"""Error tracking: one event per fault, tagged with what it happened in, without secrets."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib.metadata import version

import sentry_sdk
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.scrubber import EventScrubber
from sentry_sdk.types import Event, Hint

from pagoda import running
from pagoda.config.scrubbing import DENYLIST, scrubbed
from pagoda.config.settings import Settings


def configure_sentry(settings: Settings, *, service: str) -> bool:
    """Start error tracking when SENTRY_DSN is set; return whether it is on.

    Fences report what they contain themselves, so that each fault is one event with its tags.
    """
    if settings.sentry_dsn is None:
        return False
    if _SentryProcess.target is None:
        os.register_at_fork(after_in_child=_restart)
    _start(
        _Target(
            dsn=settings.sentry_dsn.get_secret_value(),
            environment=settings.sentry_environment or settings.pagoda_env,
            release=settings.sentry_release or f"pagoda@{version('pagoda-core')}",
        )
    )
    sentry_sdk.get_global_scope().set_tag("service", service)
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    dsn: str = field(repr=False)
    environment: str
    release: str


class _SentryProcess:
    target: _Target | None = None  # of the last start; forked processes start anew with it


def _start(target: _Target) -> None:
    _SentryProcess.target = target
    sentry_sdk.init(
        dsn=target.dsn,
        environment=target.environment,
        release=target.release,
        include_local_variables=False,  # they hold what users entered
        max_request_body_size="never",  # so do bodies
        before_send=_before_send,
        event_scrubber=EventScrubber(denylist=DENYLIST, recursive=True),
        disabled_integrations=[CeleryIntegration()],  # the job runner reports, with plugin and job
        integrations=[DjangoIntegration(), LoggingIntegration(event_level=None)],
    )


def _restart() -> None:
    """Give a forked process a client of its own.

    In a copied one the thread that sends is gone, and its queue still wakes it instead of a new one: the
    first event would wait for a second.
    """
    if _SentryProcess.target is not None and sentry_sdk.is_initialized():
        _start(_SentryProcess.target)


def link_user(user_id: object) -> None:
    """Say in the events of this request or job whom it is done for, by id: names stay here."""
    if sentry_sdk.is_initialized():
        sentry_sdk.get_isolation_scope().set_user({"id": str(user_id)})


def _before_send(event: Event, _hint: Hint) -> Event:
    """Name the plugin that sends it; scrub what the names of values don't give away, such as texts of errors.

    What runs around a handler, such as a job, is another plugin's, and tags the isolation scope; a fence that
    reports, or code that names a plugin, tags the scope of its own that it opens.
    """
    tags = sentry_sdk.get_current_scope()._tags  # noqa: SLF001 - no other way to read them
    if "plugin" not in tags and (plugin := running.plugin()):
        event.setdefault("tags", {})["plugin"] = plugin
    request = event.get("request")
    if request is not None:
        request.pop("query_string", None)
        request.pop("cookies", None)
    clean: Event = scrubbed(event)
    return clean

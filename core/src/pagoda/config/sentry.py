"""Error tracking: one event per fault, tagged with what it happened in, without secrets."""

from __future__ import annotations

from importlib.metadata import version

import sentry_sdk
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.scrubber import DEFAULT_DENYLIST, EventScrubber

from pagoda.config.settings import Settings

DENYLIST = [*DEFAULT_DENYLIST, "token", "dsn", "database_url", "broker_url", "basic_auth", "params"]
"""Names of values that are replaced before an event leaves the process, at any depth."""


def configure_sentry(settings: Settings, *, service: str) -> bool:
    """Start error tracking when SENTRY_DSN is set; return whether it is on.

    Fences report what they contain themselves, so that each fault is one event with its tags.
    """
    if settings.sentry_dsn is None:
        return False
    sentry_sdk.init(
        dsn=settings.sentry_dsn.get_secret_value(),
        environment=settings.sentry_environment or settings.pagoda_env,
        release=settings.sentry_release or f"pagoda@{version('pagoda-core')}",
        include_local_variables=False,  # they hold what users entered
        event_scrubber=EventScrubber(denylist=DENYLIST, recursive=True),
        disabled_integrations=[CeleryIntegration()],  # the job runner reports, with plugin and job
        integrations=[DjangoIntegration(), LoggingIntegration(event_level=None)],
    )
    sentry_sdk.get_global_scope().set_tag("service", service)
    return True

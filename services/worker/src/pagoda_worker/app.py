"""The composition root of every worker process: settings, logs, Django with its plugins, Celery."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta

import django
import structlog
from celery import Celery
from django.conf import settings as django_settings

from pagoda.config.logging import configure_logging
from pagoda.config.sentry import configure_sentry
from pagoda.config.settings import Settings
from pagoda.health.waiting import wait_for
from pagoda.jobs import runtime as jobs
from pagoda.plugins.registry import registry
from pagoda.watching.metrics.processes import share
from pagoda_worker.targets import Plugins, Target, all_targets, find

SETTINGS_MODULE = "pagoda_worker.settings"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerHost:
    """What a worker process works with, once the host is started."""

    settings: Settings
    celery: Celery
    plugins: Plugins

    def target(self, name: str) -> Target:
        """Return what a worker for plugin `name`, or ``core``, serves."""
        return find(name, self.plugins, self.settings.plugin_worker_config)

    def targets(self) -> tuple[Target, ...]:
        """Return what the workers of this host serve, one each."""
        return all_targets(self.plugins, self.settings.plugin_worker_config)

    def wait_for_database(self) -> None:
        """Return once the database answers and is migrated.

        Raises:
            NotReady: it does not within PAGODA_WAIT_SECONDS; the message says why.
        """
        wait_for(timeout=timedelta(seconds=self.settings.pagoda_wait_seconds))

    @property
    def soft_shutdown_seconds(self) -> float:
        """Return how long a stopping worker lets its jobs finish."""
        return float(self.celery.conf.worker_soft_shutdown_timeout)


def start(service: str) -> WorkerHost:
    """Start the host in this process; logs and errors carry `service`.

    Raises:
        PagodaError: the settings, or the plugins in strict mode, are at fault.
        ImproperlyConfigured: operation ids or Celery are; it lists every fault.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS_MODULE)
    share()  # before anything that counts is imported
    settings: Settings = django_settings.PAGODA
    configure_logging(settings, service=service)  # before the plugins boot: they are worth a record
    configure_sentry(settings, service=service)
    django.setup()
    return _host(settings)


def _host(settings: Settings) -> WorkerHost:
    from pagoda.watching.metrics import series  # late: it counts, and models exist only now

    series.connect()
    return WorkerHost(settings=settings, celery=jobs.celery_app(), plugins=registry())

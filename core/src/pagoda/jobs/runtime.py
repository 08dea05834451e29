"""What one process has of jobs: Celery's app, the publisher, and a runner where jobs are run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Protocol

from celery import Celery
from django.conf import settings
from pydantic import SecretStr

from pagoda.config.accounts import account_of
from pagoda.config.settings import Settings
from pagoda.jobs.job_errors import JobError, NoRunner
from pagoda.jobs.publisher import MessagePublisher, Publisher, may_publish


class JobRunner(Protocol):
    """Runs the job of a message; the worker service installs one."""

    def run(self, job_id: int, task_id: str) -> None:
        """Claim the job and run its task to the end; return quietly when it is not to be run now."""
        ...


@dataclass(slots=True)
class _JobsRuntime:
    app: Celery | None = None
    publisher: MessagePublisher | None = None
    runner: JobRunner | None = None
    registry_digest: str = ""


_runtime = _JobsRuntime()


def start(app: Celery, *, registry_digest: str = "") -> None:
    """Have this process's jobs go through `app`; again, it replaces the app."""
    url = app.conf.broker_write_url
    may = partial(may_publish, account_of(SecretStr(url)), scheme=url.partition(":")[0])
    _runtime.app, _runtime.publisher = app, Publisher(app, may_publish=may)
    _runtime.registry_digest = registry_digest


def celery_app() -> Celery:
    """Return Celery's app.

    Raises:
        JobError: the app `pagoda.jobs` has not started.
    """
    if _runtime.app is None:
        raise JobError(
            "Celery's app does not exist yet: 'pagoda.jobs' is not in INSTALLED_APPS, or not ready."
        )
    return _runtime.app


def publisher() -> MessagePublisher:
    """Return the process's publisher.

    Raises:
        JobError: the app `pagoda.jobs` has not started.
    """
    if _runtime.publisher is None:
        raise JobError("Jobs can't be published yet: 'pagoda.jobs' is not in INSTALLED_APPS, or not ready.")
    return _runtime.publisher


def replace_publisher(publisher: MessagePublisher) -> MessagePublisher | None:
    """Have messages go out through `publisher` and return the one before."""
    before, _runtime.publisher = _runtime.publisher, publisher
    return before


def set_runner(runner: JobRunner | None) -> None:
    """Have messages that reach this process run by `runner`."""
    _runtime.runner = runner


def runner() -> JobRunner:
    """Return what runs jobs here.

    Raises:
        NoRunner: this process is no worker.
    """
    if _runtime.runner is None:
        raise NoRunner(
            "This process can't run jobs: no runner is installed. Start them with `pagoda-worker run`."
        )
    return _runtime.runner


def registry_digest() -> str:
    """Return the digest of the plugin registry that this process started with."""
    return _runtime.registry_digest


def host_settings() -> Settings:
    """Return the host's settings."""
    found: Settings = settings.PAGODA
    return found

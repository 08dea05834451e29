"""What the commands of `pagoda-worker` do that need the host."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import NoReturn

import click
from django.core.exceptions import ImproperlyConfigured

from pagoda.config.ending import run_and_end
from pagoda.errors import NotReady
from pagoda_plugin_sdk.exceptions import PagodaError
from pagoda_worker import app, targets
from pagoda_worker.app import WorkerHost
from pagoda_worker.fleet import run_fleet

EX_NOT_READY = 1
EX_CONFIG = 2

ALIVE_FILE = "alive"
"""In PAGODA_DATA_DIR: what a container's health check looks at."""


def _reports_faults[**P](command: Callable[P, int]) -> Callable[P, int]:
    """Have a command tell what keeps the host from starting, in words."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            return command(*args, **kwargs)
        except (PagodaError, ImproperlyConfigured) as error:
            click.echo(f"pagoda-worker: {error}", err=True)
            return EX_NOT_READY if isinstance(error, NotReady) else EX_CONFIG

    return run


@_reports_faults
def run(*, plugin: str | None, concurrency: int | None, alive_file: Path | None) -> int:
    """Serve the jobs of one queue: a plugin's, or the host's own."""
    host = app.start("worker")
    target = host.target(plugin or targets.CORE)
    host.wait_for_database()
    from pagoda_worker.serving import serve  # late: the host's models exist only now

    return serve(host, target, concurrency=concurrency, alive_file=_file(alive_file, host))


@_reports_faults
def dispatch(*, alive_file: Path | None) -> int:
    """Publish, re-queue and schedule jobs."""
    host = app.start("dispatcher")
    host.wait_for_database()
    from pagoda_worker.dispatching import dispatch as dispatch_jobs  # late, as above

    return dispatch_jobs(host, alive_file=_file(alive_file, host))


@_reports_faults
def up(*, alive_file: Path | None) -> int:
    """Keep a dispatcher and all workers running."""
    host = app.start("supervisor")
    host.wait_for_database()
    return run_fleet(host, alive_file=_file(alive_file, host))


@_reports_faults
def flower(*, bind: str | None) -> int:
    """Serve Flower."""
    host = app.start("flower")
    from pagoda_worker.flower import serve as serve_flower  # late: no other process is to load Flower

    return serve_flower(host.celery, host.settings, bind=bind)


def in_process(main: Callable[[], int]) -> NoReturn:
    """Run a command line in a process of its own, which ends although a plugin holds it."""
    run_and_end(main)


def _file(given: Path | None, host: WorkerHost) -> Path:
    return given or host.settings.pagoda_data_dir / ALIVE_FILE

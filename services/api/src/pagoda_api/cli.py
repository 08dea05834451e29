"""`pagoda-api`: the API process."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import NoReturn

import click
from django.core.exceptions import ImproperlyConfigured

from pagoda.config.ending import run_and_end
from pagoda.config.loading import load_settings
from pagoda.config.logging import configure_logging
from pagoda.config.settings import Settings
from pagoda.errors import NotReady, SettingsError
from pagoda.health.waiting import wait_for
from pagoda.watching.metrics.processes import share
from pagoda_api.server import ApiServer
from pagoda_plugin_sdk.exceptions import PagodaError

EX_NOT_READY = 1
EX_CONFIG = 2


@click.group()
def pagoda_api() -> None:
    """Run the API process of Pagoda."""


@pagoda_api.command(name="serve")
@click.option("--bind", metavar="ADDRESS:PORT", help="By default API_BIND.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes; by default API_WORKERS.")
def serve_command(*, bind: str | None, workers: int | None) -> int:
    """Serve HTTP with gunicorn."""
    if script_name := os.environ.pop("SCRIPT_NAME", ""):  # gunicorn would refuse what asks without it
        os.environ.setdefault("PAGODA_PATH_PREFIX", script_name.rstrip("/"))
    try:
        settings = load_settings()
    except SettingsError as error:
        print(f"pagoda-api: {error}", file=sys.stderr)
        return EX_CONFIG
    return serve(settings, bind=bind, workers=workers)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status (1: what it waits for did not come, 2: configuration)."""
    try:
        return int(pagoda_api.main(argv, prog_name="pagoda-api", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code


def serve(settings: Settings, *, bind: str | None, workers: int | None) -> int:
    """Serve until a signal ends it; flags win over the settings."""
    if workers is not None:
        os.environ["API_WORKERS"] = str(workers)  # the application shares its capacity out by it
    share()  # before anything that counts is imported
    configure_logging(settings, service="api")  # for what gunicorn says before the application is loaded
    ApiServer(
        bind=bind or settings.api_bind,
        workers=workers or settings.api_workers,
        worker_memory_mb=settings.api_worker_memory_mb,
        max_body_bytes=settings.api_max_body_bytes,
        load_application=_load_application,
    ).run()
    return 0


def _load_application() -> object:
    """Load the application in gunicorn's parent, before any port is open; exit if it can't serve."""
    try:
        from pagoda_api.wsgi import application  # late: it starts the host
    except (PagodaError, ImproperlyConfigured) as error:
        print(f"pagoda-api: {error}", file=sys.stderr)
        sys.exit(EX_CONFIG)
    try:
        wait_for(timeout=timedelta(seconds=load_settings().pagoda_wait_seconds))
    except NotReady as error:
        print(f"pagoda-api: {error}", file=sys.stderr)
        sys.exit(EX_NOT_READY)
    return application


def run() -> NoReturn:
    """Run the command line in a process of its own."""
    run_and_end(main)


if __name__ == "__main__":
    run()

"""Run Flower, which shows tasks and workers: with login, read-only, on one address.

A job's page is ``<FLOWER_URL>/task/<task id>``, given as ``flower_url`` by the jobs API; a task's keyword
arguments name the job, plugin and user, which leads back. ``/metrics`` and ``/healthcheck`` ask for no login,
so the address is loopback unless FLOWER_BIND says otherwise.
"""

from __future__ import annotations

import atexit
import signal
import sys
from typing import Any, ClassVar

import structlog
from celery import Celery
from flower.app import Flower
from flower.urls import settings as web_settings
from tornado.options import options as tornado_options

from pagoda.config.secret_file import stored_secret
from pagoda.config.settings import Settings
from pagoda_plugin_sdk.exceptions import PagodaError

USER = "pagoda"  # of the login that is made when none is configured
CREDENTIALS_FILE = "flower_password"


class FlowerError(PagodaError):
    """Flower can't start as configured."""

    code: ClassVar[str] = "flower_error"


log = structlog.get_logger(__name__)


def credentials(settings: Settings) -> tuple[str, str]:
    """Return user and password: of FLOWER_BASIC_AUTH, else made once into the data folder.

    Raises:
        FlowerError: the setting is not ``user:password``.
    """
    configured = settings.flower_basic_auth
    if configured is None:
        return USER, stored_secret(settings.pagoda_data_dir / CREDENTIALS_FILE)
    user, colon, password = configured.get_secret_value().partition(":")
    if not (user and colon and password):
        raise FlowerError("FLOWER_BASIC_AUTH is not of the form user:password (its value is not shown).")
    return user, password


def options(settings: Settings, *, bind: str | None = None) -> dict[str, Any]:
    """Return Flower's options, ``{name: value}``; `bind` (address:port) wins over FLOWER_BIND."""
    address, _, port = (bind or settings.flower_bind).rpartition(":")
    return {
        "address": address.strip("[]"),
        "port": int(port),
        "basic_auth": [":".join(credentials(settings))],
        "read_only": True,
        "persistent": False,
        "purge_offline_workers": 3600,  # a worker's name has its pid: each restart is a new one
        "natural_time": True,
        "tasks_columns": "name,uuid,state,args,kwargs,received,started,runtime,worker",
    }


def serve(app: Celery, settings: Settings, *, bind: str | None = None) -> int:
    """Serve Flower until a signal ends it; return the exit status."""
    chosen = options(settings, bind=bind)
    for name, value in chosen.items():
        setattr(tornado_options, name, value)
    server = Flower(capp=app, options=tornado_options, **web_settings)
    atexit.register(server.stop)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.start_http_server()
    log.info("flower_started", address=chosen["address"], port=chosen["port"])
    try:
        server.start()
    except (KeyboardInterrupt, SystemExit):
        log.info("flower_stopped")
    return 0

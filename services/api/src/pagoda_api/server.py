"""Gunicorn, configured in code."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any

from django.db import connections
from gunicorn import glogging
from gunicorn.app.base import BaseApplication
from gunicorn.config import Config

from pagoda.config.limits import ChildLimits, apply
from pagoda_api.worker import BufferingWorker


class ServerLog(glogging.Logger):
    """Gunicorn's own log, as records of the process's: no handlers or formats of its own."""

    def setup(self, cfg: Config) -> None:
        """Leave everything to the root logger."""
        self.error_log.propagate = True
        self.error_log.setLevel(logging.INFO)
        self.access_log.propagate = True
        self.cfg = cfg


class ApiServer(BaseApplication):
    """Serve the API with workers that run requests in their main threads."""

    def __init__(
        self,
        *,
        bind: str,
        workers: int,
        worker_memory_mb: int,
        max_body_bytes: int,
        load_application: Callable[[], Any],
    ) -> None:
        self._worker_memory_mb = worker_memory_mb
        BufferingWorker.max_body_bytes = max_body_bytes
        self._options = {
            "bind": bind,
            "workers": workers,
            "worker_class": f"{BufferingWorker.__module__}.{BufferingWorker.__name__}",
            "sendfile": False,  # responses are written to a `Connection`
            "forwarded_allow_ips": "",  # PAGODA_TRUSTED_PROXIES says who may, and the application reads it
            "preload_app": True,  # a fault in the configuration ends the start once, not once per worker
            "post_fork": self._prepare_worker,
            "worker_exit": _end_process,
            "child_exit": _forget_process,
            "control_socket_disable": True,
            "limit_request_line": 8190,  # the most that gunicorn takes: conditions of a search are long
            "accesslog": None,  # the access-log middleware writes it, with the request id
            "logger_class": ServerLog,
            "timeout": 60,
            "graceful_timeout": 30,
        }
        self._load_application = load_application
        super().__init__()

    def load_config(self) -> None:
        """Set the options; gunicorn calls it."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def _prepare_worker(self, _server: object, _worker: object) -> None:
        _forget_connections()
        apply(ChildLimits(memory_mb=self._worker_memory_mb))
        _start_watching()

    def load(self) -> Any:
        """Return the WSGI application; gunicorn calls it. Any, as gunicorn has no types."""
        application = self._load_application()
        # What is loaded stays: a worker's full collections would walk it, which is 0.13 s within a request.
        gc.collect()
        gc.freeze()
        return application


def _forget_connections() -> None:
    # A connection opened while the application was loaded belongs to the parent process.
    connections.close_all()


def _start_watching() -> None:
    _watching().start()


def _end_process(_server: object, _worker: object) -> None:
    _watching().stop()


def _watching() -> ModuleType:
    from pagoda_api import watching  # late: the host's models exist once the application is loaded

    return watching


def _forget_process(_server: object, worker: Any) -> None:
    _watching().forget(worker.pid)

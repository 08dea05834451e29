"""The text that Prometheus reads, for the API, and a server of it for processes that serve nothing else."""

from __future__ import annotations

import os
import threading
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import structlog
from django.db import connections
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

from pagoda.watching.metrics.collector import HostCollector
from pagoda.watching.metrics.processes import VARIABLE
from pagoda.watching.watcher import gather

__all__ = ["CONTENT_TYPE_LATEST", "exposition", "registry", "serve"]

log = structlog.get_logger(__name__)


def registry() -> CollectorRegistry:
    """Return a registry of all there is: of this server's processes together, and of the database."""
    found = CollectorRegistry()
    if VARIABLE in os.environ:
        MultiProcessCollector(found)  # type: ignore[no-untyped-call]
    else:
        found.register(REGISTRY)  # a registry collects, too
    found.register(HostCollector())
    return found


def exposition() -> bytes:
    """Return the metrics as text; the hooks of this process are counted up to now."""
    gather()
    return generate_latest(registry())


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Leave scrapes out of the log."""


def _application(_environ: Any, start_response: Any) -> list[bytes]:  # Any: of WSGI
    try:
        body = exposition()
    finally:
        connections.close_all()  # this thread's own
    start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
    return [body]


def serve(bind: str) -> bool:
    """Serve ``/metrics`` from a thread of this process; False, which is logged, when the address is taken."""
    host, _, port = bind.rpartition(":")
    try:
        server = make_server(host.strip("[]"), int(port), _application, handler_class=_QuietHandler)
    except OSError as error:
        log.warning("metrics_not_served", bind=bind, error=str(error))
        return False
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    log.info("metrics_served", bind=bind)
    return True

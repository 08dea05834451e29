"""One log record per request."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from pagoda_api.plugin_routes import plugin_of

log = structlog.get_logger(__name__)

PROBES = frozenset({"/healthz", "/readyz"})


class AccessLogMiddleware:
    """Log method, path, status, duration, user and plugin; probes at debug level."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        emit = log.debug if request.path in PROBES else log.info
        emit(
            "request_finished",
            method=request.method,
            path=request.path,
            status=response.status_code,
            duration_ms=round((time.perf_counter() - started) * 1000, 1),
            user_id=_user_id(request),
            plugin=plugin_of(request.resolver_match),
        )
        return response


def _user_id(request: HttpRequest) -> int | None:
    # Only what the acting-user middleware has settled: logging must not cost a query.
    user_id = request.META.get("pagoda.user_id")
    return user_id if isinstance(user_id, int) else None

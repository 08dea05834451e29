"""One log record per request."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from pagoda.watching.metrics.series import count_request
from pagoda_api.plugin_routes import plugin_of
from pagoda_api.request_id import PROBES

log = structlog.get_logger(__name__)


class AccessLogMiddleware:
    """Log method, path, status, duration, user and plugin; probes at debug level."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        seconds = time.perf_counter() - started
        plugin_id = plugin_of(request.resolver_match)
        if request.path_info not in PROBES:
            count_request(plugin_id, request.method, response.status_code, seconds)
        emit = log.debug if request.path_info in PROBES else log.info
        emit(
            "request_finished",
            method=request.method,
            path=request.path,
            status=response.status_code,
            duration_ms=round(seconds * 1000, 1),
            user_id=_user_id(request),
            plugin=plugin_id,
        )
        return response


def _user_id(request: HttpRequest) -> int | None:
    # Only what the acting-user middleware has settled: logging must not cost a query.
    user_id = request.META.get("pagoda.user_id")
    return user_id if isinstance(user_id, int) else None

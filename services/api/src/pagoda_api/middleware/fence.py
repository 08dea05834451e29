"""The fence around endpoints: what a view lets escape is recorded and answered as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse

from pagoda_api.plugin_routes import plugin_of
from pagoda_api.problems import unexpected_error
from pagoda_api.reporting import report
from pagoda_api.request_id import request_id_of

log = structlog.get_logger(__name__)

_DJANGO_ANSWERS = (Http404, PermissionDenied, SuspiciousOperation, BadRequest)


class EndpointFenceMiddleware:
    """Bind the request's plugin, and turn an unexpected exception of an API or plugin view into a 500.

    The exception becomes one log record and one Sentry event, tagged with the plugin when it is a plugin's.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            return self.get_response(request)
        finally:
            structlog.contextvars.unbind_contextvars("plugin")

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        """Name the plugin in the log from here to the end of the request."""
        plugin_id = plugin_of(request.resolver_match)
        if plugin_id is not None:
            structlog.contextvars.bind_contextvars(plugin=plugin_id)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Record `exception` and answer it; None leaves the host's pages to Django."""
        plugin_id = plugin_of(request.resolver_match)
        is_ours = plugin_id is not None or request.path.startswith("/api/")
        if not is_ours or isinstance(exception, _DJANGO_ANSWERS):
            return None
        log.error("endpoint_failed", path=request.path, exc_info=exception)
        report(exception, plugin_id=plugin_id, surface="endpoint", request_id=request_id_of(request))
        return unexpected_error(request, plugin_id)

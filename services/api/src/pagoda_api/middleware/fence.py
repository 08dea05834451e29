"""The fence around endpoints: what a view lets escape is recorded and answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from pagoda.fencing.reporting import report_error
from pagoda.plugins.runtime import registry
from pagoda_api.endpoint_fence import ANSWERS
from pagoda_api.plugin_routes import plugin_of
from pagoda_api.problems import unexpected_error
from pagoda_api.request_id import PROBES, request_id_of
from pagoda_api.runtime import endpoint_fence


class EndpointFenceMiddleware:
    """Call the views of plugins inside their fence, and answer what the host's own views let escape.

    It is the innermost of all, so that nothing but the view is called in the fence. The breakers' states are
    brought up to date before a request, and what it counted is stored after it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info in PROBES or not registry().has_active:
            return self.get_response(request)
        breaker = endpoint_fence().breaker
        breaker.refresh()
        try:
            return self.get_response(request)
        finally:
            breaker.flush()
            structlog.contextvars.unbind_contextvars("plugin")

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        """Call a plugin's view; its plugin is named in the log from here to the end of the request."""
        plugin_id = plugin_of(request.resolver_match)
        if plugin_id is None:
            return None
        structlog.contextvars.bind_contextvars(plugin=plugin_id)
        return endpoint_fence().call(plugin_id, request, view, *args, **kwargs)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Record what a view of the host raised, and answer it."""
        if isinstance(exception, ANSWERS):
            return None
        report_error(
            exception, plugin=None, surface="endpoint", name=request.path, request_id=request_id_of(request)
        )
        return unexpected_error(request, exception)

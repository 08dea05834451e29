"""The request id: taken from the caller or made here, bound to every log line, given back."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from pagoda_api.endpoint_fence import is_host_interrupt
from pagoda_api.problems import unexpected_error
from pagoda_api.request_id import HEADER, settle_request_id


class RequestContextMiddleware:
    """Bind ``request_id`` to the log context of the request; outermost of ours."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = settle_request_id(request)
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                response = self.get_response(request)
            except BaseException as error:  # Django answers exceptions alone
                if is_host_interrupt(error):
                    raise
                response = unexpected_error(request, error)
        response.headers[HEADER] = request_id
        return response

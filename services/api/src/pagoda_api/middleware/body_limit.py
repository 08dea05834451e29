"""Refuse bodies that are too long before anybody reads them."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

from django.conf import settings
from django.core.handlers.wsgi import LimitedStream
from django.http import HttpRequest, HttpResponse
from gunicorn.http.errors import ParseException

from pagoda_api.problems import refused


class BodyLimitMiddleware:
    """Answer 413 to a body above ``API_MAX_BODY_BYTES``, whatever its path and kind.

    Django reads as much as Content-Length says: a body in chunks says no length, and is read here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if request.META.get("HTTP_TRANSFER_ENCODING"):
            if not request.META.get("wsgi.input_terminated"):
                detail = "This server reads no body in chunks. Send it with a Content-Length."
                return refused(request, detail, "length_required", 411)
            try:
                body = request.META["wsgi.input"].read(limit + 1)
            except (OSError, ParseException) as error:
                return refused(request, f"The body in chunks can't be read: {error}.", "bad_request", 400)
            request.META["CONTENT_LENGTH"] = str(len(body))
            request._stream = LimitedStream(BytesIO(body), len(body))  # type: ignore[assignment]  # noqa: SLF001
        length = _content_length(request)
        if length <= limit:
            return self.get_response(request)
        given = "more" if request.META.get("HTTP_TRANSFER_ENCODING") else f"{length} bytes"
        detail = f"The body has {given}; at most {limit} are accepted. Send it in several requests."
        return refused(request, detail, "body_too_large", 413)


def _content_length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0  # Django treats it so too: it reads nothing

"""Refuse bodies that are too long before anybody reads them."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse


class BodyLimitMiddleware:
    """Answer 413 to a body above ``DATA_UPLOAD_MAX_MEMORY_SIZE``.

    Django applies that setting when ``request.body`` is read; DRF's JSON parser reads the stream itself.
    File uploads (multipart) are streamed to disk and have limits of their own.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        length = _content_length(request)
        if length <= limit or request.content_type == "multipart/form-data":
            return self.get_response(request)
        detail = f"The body has {length} bytes; at most {limit} are accepted. Send it in several requests."
        return JsonResponse({"detail": detail, "code": "body_too_large"}, status=413)


def _content_length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0  # Django treats it so too: it reads nothing

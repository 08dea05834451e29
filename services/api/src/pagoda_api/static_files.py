"""Static files, sent as gzip: they come from installed packages, which hold none that is compressed."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]

_gzip = GZipMiddleware(lambda _request: HttpResponse())  # which asks nobody: answers are handed to it


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """WhiteNoise, and gzip for whoever takes it.

    Pages and answers of the API pass uncompressed: they hold secrets beside what others sent (BREACH).
    """

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponseBase:  # Any: WhiteNoise has no types
        """Compress a whole text file; images are compressed already."""
        response: HttpResponseBase = WhiteNoiseMiddleware.serve(static_file, request)
        is_text = response.headers.get("Content-Type", "").startswith(("text/", "image/svg"))
        if not is_text or response.status_code != 200:
            return response
        return _gzip.process_response(request, response)

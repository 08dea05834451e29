"""Requests that are sent again: ``Idempotency-Key``, as Stripe's API has it."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from pagoda.idempotency.keys import KeyReused, StillRunning, free, keep, take
from pagoda.idempotency.models import MAX_KEY_LENGTH
from pagoda_api.problems import logged, refused

PREFIX: Final = "/api/v2/"
WITH_SECRETS: Final = ("/api/v2/auth/", "/api/v2/me/")
"""Their answers hold tokens, or their bodies passwords: nothing of that is kept."""

NOT_KEPT: Final = frozenset({401, 403, 429, 503})
"""Answers to what was not done and may be done later."""

HEADERS: Final = ("Content-Type", "ETag", "Location")


class IdempotencyMiddleware:
    """Answer a POST that a user sends again with the same Idempotency-Key as the first time, for a day.

    After the middleware that settles who acts and how much they may ask. A request without the header costs
    nothing; nobody's key counts without a user.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        key, user_id = request.headers.get("Idempotency-Key"), request.META.get("pagoda.user_id")
        is_asked = request.method == "POST" and request.path_info.startswith(PREFIX)
        if key is None or user_id is None or not is_asked:
            return self.get_response(request)
        fault = _fault(request, key)
        if fault is not None:
            return refused(request, fault, "idempotency_key", 400)
        try:
            taken = take(user_id, key, _digest(request))
        except KeyReused:
            detail = f"Idempotency-Key {key!r} was sent with another request. Give each its own."
            return refused(request, detail, "idempotency_key_reused", 422)
        except StillRunning:
            detail = f"The first request with Idempotency-Key {key!r} still runs. Ask again in a moment."
            running = refused(request, detail, "idempotency_key_running", 409)
            running.headers["Retry-After"] = "1"
            return running
        if taken.status is not None:
            again = HttpResponse(bytes(taken.body), status=taken.status, headers=taken.headers)
            again.headers["Idempotent-Replayed"] = "true"
            return logged(again)
        try:
            response = self.get_response(request)
        except BaseException:
            free(taken)
            raise
        if response.streaming or response.status_code in NOT_KEPT:
            free(taken)
        else:
            headers = {name: response.headers[name] for name in HEADERS if name in response.headers}
            keep(taken, response.status_code, headers, getattr(response, "content", b""))
        return response


def _fault(request: HttpRequest, key: str) -> str | None:
    if not (0 < len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()):
        return f"An Idempotency-Key has 1 to {MAX_KEY_LENGTH} printable ASCII characters, as a UUID has."
    if request.path_info.startswith(WITH_SECRETS):
        return f"{request.path} takes no Idempotency-Key: its answer is not to be kept. Leave it out."
    return None


def _digest(request: HttpRequest) -> str:
    head = f"{request.method} {request.get_full_path()}\n{request.content_type}\n"
    boundary = (request.content_params or {}).get("boundary", "").encode()  # of a form: another each time
    body = request.body.replace(boundary, b"") if boundary else request.body
    return sha256(head.encode() + body).hexdigest()

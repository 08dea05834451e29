"""Nothing is overwritten or done twice by accident: strong ETags, If-Match, If-None-Match, Idempotency-Key.

A tag is the digest of what the user is shown, names of targets and what hooks add included, so that it is
another one whenever anything of that is. It costs no query; a condition costs a lock on the row, under which
what would be shown is read anew.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import Any, Final, cast

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import parse_etags
from django.utils.translation import gettext_lazy
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from pagoda.idempotency.keys import KeyReused, StillRunning, free, keep, take
from pagoda.idempotency.models import MAX_KEY_LENGTH
from pagoda_api.problems import logged, refused
from pagoda_api.strict import StrictView

TAGGED = frozenset(
    {"retrieve", "create", "update", "partial_update", "restore", "restore_attribute", "revert"}
)
"""Actions that answer with the whole of one thing."""

PREFIX: Final = "/api/v2/"
WITH_SECRETS: Final = ("/api/v2/auth/", "/api/v2/me/")
"""Their answers hold tokens, or their bodies passwords: nothing of that is kept."""

NOT_KEPT: Final = frozenset({401, 403, 429, 503})
"""Answers to what was not done and may be done later."""

HEADERS: Final = ("Content-Type", "ETag", "Location")

type Handler = Callable[..., HttpResponseBase]


class PreconditionFailed(exceptions.APIException):
    """The thing is another one than the client has seen."""

    status_code = 412
    default_code = "precondition_failed"
    default_detail = gettext_lazy(
        "It was changed since you read it: your condition (If-Match, If-None-Match) does not hold, and "
        "nothing was done. Read it again, and send your change with the ETag that it has now."
    )


class ConditionalViewSet[M: Any](StrictView, GenericViewSet[M]):
    """Tags what it shows; `guarded` methods act only on what the client has seen."""

    def finalize_response(
        self,
        request: Request,
        response: HttpResponseBase,
        *args: Any,  # Any: as the base has them
        **kwargs: Any,
    ) -> Response:
        """Return the answer with its ETag; 304 when the client has it already."""
        final = super().finalize_response(request, cast("Response", response), *args, **kwargs)
        if self.action not in TAGGED or final.status_code not in (200, 201):
            return final
        final.headers.setdefault("ETag", _tag(final))
        final.headers.setdefault("Cache-Control", "private, no-cache")  # kept, and asked for each time
        if request.method not in ("GET", "HEAD"):
            return final
        of_django = cast("HttpRequest", request)
        answer = get_conditional_response(of_django, final["ETag"], response=final)
        if answer is not None and answer.status_code == PreconditionFailed.status_code:
            failed = PreconditionFailed()  # Django's has no body
            return cast(
                "Response", refused(of_django, str(failed.detail), failed.default_code, failed.status_code)
            )
        return cast("Response", answer)


def guarded[H: Handler](method: H) -> H:
    """Have a method that changes one thing refuse with 412 where it is not as the client says."""

    @wraps(method)
    def run(view: ConditionalViewSet[Any], request: Request, **kwargs: Any) -> HttpResponseBase:
        match, none_match = request.headers.get("If-Match"), request.headers.get("If-None-Match")
        if match is None and none_match is None:
            return method(view, request, **kwargs)
        with transaction.atomic():
            rows = view.get_queryset().model._base_manager.select_for_update(no_key=True)
            rows.filter(pk=kwargs["pk"]).values_list("pk").first()
            shown = cast("Any", view).retrieve(request, pk=kwargs["pk"])
            tag = shown.headers.get("ETag") or _tag(shown)
            if not _holds(match, none_match, tag):
                raise PreconditionFailed
            return method(view, request, **kwargs)

    run.__dict__["is_guarded"] = True
    return cast("H", run)


def is_guarded(view: ConditionalViewSet[Any]) -> bool:
    """Return whether what the view does now is a change that `guarded` has; a part of one is one, too."""
    names = {view.action, view.action.removeprefix("partial_")}
    return any(getattr(getattr(view, name, None), "is_guarded", False) for name in names)


def _holds(match: str | None, none_match: str | None, tag: str) -> bool:
    if match is not None:  # by strong comparison: a weak one is never it
        return match.strip() == "*" or tag in parse_etags(match)
    given = [each.removeprefix("W/") for each in parse_etags(none_match or "")]
    return "*" not in given and tag not in given


def _tag(shown: HttpResponseBase) -> str:
    # Of what is shown rather than of its bytes, which the client may have asked for with an indent.
    whole = (
        JSONRenderer().render(shown.data) if isinstance(shown, Response) else getattr(shown, "content", b"")
    )
    return f'"{sha256(whole).hexdigest()[:32]}"'


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

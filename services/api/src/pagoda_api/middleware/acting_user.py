"""Who acts: settled once per request, for the views, the hooks and the history alike."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest, HttpResponse

from pagoda.config.sentry import link_user
from pagoda.domain.acting import acting_as
from pagoda.domain.user.models import User
from pagoda_api.authentication import find_token, remember_token


class ActingUserMiddleware:
    """Authenticate by API token or session and act as that user until the response; after Django's own.

    A request without either costs no query. A token that is not valid leaves the request anonymous here; the
    view's authentication class refuses it with 401.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = _token_user(request) or _session_user(request)
        if user is not None:
            request.META["pagoda.user_id"] = user.pk
            link_user(user.pk)
        with acting_as(user):
            return self.get_response(request)


def _token_user(request: HttpRequest) -> User | None:
    token = find_token(request.headers.get("Authorization", ""))
    if token is None:
        return None
    remember_token(request, token)
    request.user = token.user
    return token.user


def _session_user(request: HttpRequest) -> User | None:
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    user = auth.get_user(request)
    request.user = user  # the user itself instead of Django's lazy one: handlers receive it
    return user if isinstance(user, User) else None

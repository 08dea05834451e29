"""API tokens: ``Authorization: Token <t>`` or ``Authorization: Bearer <t>``."""

from __future__ import annotations

import structlog
from django.db import DatabaseError
from django.http import HttpRequest
from django.urls import reverse
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from pagoda.domain.user.models import ApiToken, Scope, User

log = structlog.get_logger(__name__)

_SCHEMES = ("token", "bearer")
_META_KEY = "pagoda.api_token"


class ApiTokenAuthentication(BaseAuthentication):
    """Take the token that the acting-user middleware found; refuse one that nobody knows."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return user and token, None when the request carries no token.

        Raises:
            AuthenticationFailed: a token is there and is unknown, expired, or its user is not active.
        """
        header = request.headers.get("Authorization", "")
        if not is_token_header(header):
            return None
        token = token_of(request._request)  # noqa: SLF001 - Django's request in DRF's
        if token is None:
            raise AuthenticationFailed(
                f"The API token is unknown or expired. Get a new one from POST {reverse('token')}.",
                code="invalid_token",
            )
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Return the scheme that a 401 names."""
        return "Token"


def actor(request: Request) -> User | None:
    """Return the user who sent `request`, None for nobody."""
    return request.user if isinstance(request.user, User) else None


def find_token(header: str) -> ApiToken | None:
    """Return the valid token of an Authorization header with its user, in one query, or None."""
    secret = _secret(header)
    return ApiToken.authenticate(secret) if secret else None


def remember_token(request: HttpRequest, token: ApiToken) -> None:
    """Keep `token` with `request`, so that it is looked up once, and note its use."""
    request.META[_META_KEY] = token
    try:
        token.note_use()
    except DatabaseError as error:  # of one that can only be read: what reads goes on
        log.warning("token_use_not_noted", token_id=token.pk, error=type(error).__name__)


def token_of(request: HttpRequest) -> ApiToken | None:
    """Return the valid token that `request` was found to carry."""
    token = request.META.get(_META_KEY)
    return token if isinstance(token, ApiToken) else None


def refused_use(request: HttpRequest, token: ApiToken) -> tuple[str, str] | None:
    """Return why `token` is not good for `request`, with the code of the refusal; None when it is."""
    if token.scope == Scope.READ_ONLY and request.method not in SAFE_METHODS:
        fault = f"Token {token.name!r} is read-only, and {request.method} writes. Use one that is read-write."
        return fault, "token_read_only"
    address = request.META.get("REMOTE_ADDR", "")
    if not token.is_allowed_from(address):
        fault = (
            f"Token {token.name!r} may not be used from {address or 'a client without an address'}, but from "
            f"{', '.join(token.networks)}. Use it there, or one for this network."
        )
        return fault, "token_network"
    return None


def is_token_header(header: str) -> bool:
    """Return whether an Authorization header holds an API token, valid or not."""
    return header.partition(" ")[0].lower() in _SCHEMES


def _secret(header: str) -> str:
    return header.partition(" ")[2].strip() if is_token_header(header) else ""

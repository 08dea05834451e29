"""API tokens: ``Authorization: Token <t>`` or ``Authorization: Bearer <t>``."""

from __future__ import annotations

import time
from copy import copy
from datetime import timedelta
from hashlib import sha256
from typing import Final

import structlog
from django.db import DatabaseError, transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from pagoda.domain.user.models import ApiToken, Scope, User, updating
from pagoda.domain.user.networks import is_within

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


class _KnownTokens:
    """Tokens that were looked up in the last five seconds, by digest.

    A revocation by another process holds after that time. This process forgets all of them with every change
    of users and tokens in it, when it is made and once more when it is committed.
    """

    SECONDS: Final = 5.0
    MOST: Final = 10_000
    USE_NOTED_EVERY: Final = timedelta(minutes=1)

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, ApiToken]] = {}
        self._forgotten = 0

    def find(self, secret: str) -> ApiToken | None:
        """Return the valid token with its user, in one query at most."""
        key = sha256(secret.encode(errors="surrogatepass")).hexdigest()  # as it is stored
        now = time.monotonic()
        until, token = self._kept.get(key, (0.0, None))
        if token is None or until < now or (token.expires_time and token.expires_time <= timezone.now()):
            begun = self._forgotten
            token = ApiToken.authenticate(secret)
            if token is None:
                return None
            if len(self._kept) >= self.MOST:
                self._kept.clear()
            if begun == self._forgotten:  # else it may have been read before it was revoked
                self._kept[key] = now + self.SECONDS, token
        # The request gets rows of its own, so that what it keeps or changes on them ends with it.
        own = copy(token)
        own.user = copy(token.user)
        return own

    def note_use(self, token: ApiToken) -> None:
        """Note that `token` is used now, in one statement, once a minute."""
        now = timezone.now()
        if token.last_used_time is not None and now - token.last_used_time < self.USE_NOTED_EVERY:
            return
        ApiToken.objects.filter(pk=token.pk).update(last_used_time=now)
        token.last_used_time = now
        if token.digest in self._kept:
            self._kept[token.digest][1].last_used_time = now

    def forget(self) -> None:
        """Forget all: users or tokens change."""
        self._forget()
        if transaction.get_connection().in_atomic_block:
            transaction.on_commit(self._forget)

    def _forget(self) -> None:
        self._forgotten += 1
        self._kept.clear()


_known = _KnownTokens()


type Refusal = tuple[str, str]  # what is wrong, and the code of it


def take_token(request: HttpRequest) -> tuple[ApiToken | None, Refusal | None]:
    """Return the valid token of a request with its user, and why it is not good for it; one query at most.

    One that is good is kept with the request, so that it is looked up once, and its use is noted.
    """
    secret = _secret(request.headers.get("Authorization", ""))
    token = _known.find(secret) if secret else None
    refusal = None if token is None else _refused_use(request, token)
    if token is not None and refusal is None:
        request.META[_META_KEY] = token
        try:
            _known.note_use(token)
        except DatabaseError as error:  # of one that can only be read: what reads goes on
            log.warning("token_use_not_noted", token_id=token.pk, error=type(error).__name__)
    return token, refusal


@receiver([post_save, post_delete], sender=User)
@receiver([post_save, post_delete], sender=ApiToken)
@receiver(updating)
def _users_or_tokens_changed(**_signal: object) -> None:
    _known.forget()


def token_of(request: HttpRequest) -> ApiToken | None:
    """Return the valid token that `request` was found to carry."""
    token = request.META.get(_META_KEY)
    return token if isinstance(token, ApiToken) else None


def _refused_use(request: HttpRequest, token: ApiToken) -> Refusal | None:
    if token.scope == Scope.READ_ONLY and request.method not in SAFE_METHODS:
        fault = f"Token {token.name!r} is read-only, and {request.method} writes. Use one that is read-write."
        return fault, "token_read_only"
    address = request.META.get("REMOTE_ADDR", "")
    if token.networks and not is_within(address, token.networks):
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

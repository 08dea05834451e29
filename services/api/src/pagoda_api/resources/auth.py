"""Logging in: ``/api/v2/auth/``, by API token or by session."""

from __future__ import annotations

from typing import Any

from django.contrib import auth
from django.middleware.csrf import get_token
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda.domain.acting import acting_as
from pagoda.domain.user.models import ApiToken, User
from pagoda_api.fields import CleanNameField, UserSerializer
from pagoda_api.resources.tokens import NewTokenSerializer, issue_token
from pagoda_api.strict import StrictSerializer, StrictView, checked


class InvalidCredentials(APIException):
    """Nobody active has this name and password; which of the two is wrong is not told."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_code = "invalid_credentials"
    default_detail = gettext_lazy("There is no active user with this name and password.")


class CredentialsSerializer(StrictSerializer):
    """Name and password."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=4096, trim_whitespace=False, write_only=True)


class TokenRequestSerializer(CredentialsSerializer, NewTokenSerializer):
    """Name and password, and what may be chosen of the token."""

    name = CleanNameField(default="api", help_text="Such as the machine it is for.")


class TokenSerializer(serializers.Serializer[Any]):
    """A new token; Any, as it is shown once and kept as a digest."""

    token = serializers.CharField(help_text="Send it as `Authorization: Token <token>`.")
    expires_at = serializers.DateTimeField(allow_null=True)


class TokenView(StrictView):
    """API tokens."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        """Look at nobody's token when a new one is asked for: it may be the one that has expired."""
        method = getattr(self.request, "method", "")  # the OpenAPI generator asks without a request
        return [] if method == "POST" else super().get_authenticators()

    def get_permissions(self) -> list[Any]:  # Any: DRF's permissions have no common type
        """Let anybody ask for a token; giving one back takes a token."""
        return [AllowAny() if self.request.method == "POST" else IsAuthenticated()]

    @extend_schema(request=TokenRequestSerializer, responses=TokenSerializer, auth=[])
    def post(self, request: Request) -> Response:
        """Give a token for name and password."""
        data = checked(TokenRequestSerializer(data=request.data))
        user = _authenticated(request, {name: data.pop(name) for name in ("username", "password")})
        with acting_as(user):  # whoever else the request says it is of
            token, plain = issue_token(user, data, None)
        return Response(TokenSerializer({"token": plain, "expires_at": token.expires_time}).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request) -> Response:
        """Make the token that the request carries invalid; a session has none."""
        if isinstance(request.auth, ApiToken):
            request.auth.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class LoginView(StrictView):
    """Sessions, for browsers."""

    # Anybody may log in, and an expired token in the request must not keep them from it.
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(request=CredentialsSerializer, responses=UserSerializer, auth=[])
    def post(self, request: Request) -> Response:
        """Log in: sets the session's cookie and the one with the CSRF token."""
        user = _authenticated(request, checked(CredentialsSerializer(data=request.data)))
        auth.login(request._request, user)  # noqa: SLF001 - Django's request in DRF's
        get_token(request._request)  # noqa: SLF001 - Django's request in DRF's
        return Response(UserSerializer(user).data)


class LogoutView(StrictView):
    """Sessions, for browsers."""

    without_body = ("post",)

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        """End the session."""
        auth.logout(request._request)  # noqa: SLF001 - Django's request in DRF's
        return Response(status=status.HTTP_204_NO_CONTENT)


def _authenticated(request: Request, credentials: dict[str, Any]) -> User:
    user = auth.authenticate(request._request, **credentials)  # noqa: SLF001 - Django's request in DRF's
    if not isinstance(user, User):
        raise InvalidCredentials
    return user

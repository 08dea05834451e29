"""Whoever asks: ``/api/v2/me/``, with their password; their tokens are in `tokens`."""

from __future__ import annotations

from django.contrib.auth import authenticate, password_validation, update_session_auth_hash
from django.core.exceptions import ValidationError as DjangoValidationError
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda.domain.user.models import User
from pagoda_api.authentication import actor
from pagoda_api.fields import NamedSerializer, UserSerializer
from pagoda_api.strict import StrictSerializer, StrictView, checked
from pagoda_plugin_sdk.rules.saying import say


class MeSerializer(UserSerializer):
    """The user who asks."""

    is_superuser = serializers.BooleanField(read_only=True)
    groups = NamedSerializer(many=True, read_only=True)
    roles = NamedSerializer(many=True, read_only=True, help_text="Those held by themselves, not by a group.")


class PasswordSerializer(StrictSerializer):
    """The password that is, and the one that is to be."""

    old_password = serializers.CharField(max_length=4096, trim_whitespace=False, write_only=True)
    new_password = serializers.CharField(max_length=4096, trim_whitespace=False, write_only=True)


class MeView(StrictView):
    """The user who asks."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Show who asks."""
        return Response(MeSerializer(actor(request)).data)


class PasswordView(StrictView):
    """The password of the user who asks."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(request=PasswordSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """Change it. Every token of the user ends, and every session but the one that asks."""
        data = checked(PasswordSerializer(data=request.data))
        sent = request._request  # noqa: SLF001 - Django's request in DRF's
        user = authenticate(sent, username=request.user.get_username(), password=data["old_password"])
        if not isinstance(user, User):
            raise ValidationError({"old_password": [say("It is not your password.")]}, code="invalid")
        try:
            password_validation.validate_password(data["new_password"], user)
        except DjangoValidationError as error:
            raise ValidationError({"new_password": error.messages}, code="password") from error
        user.set_password(data["new_password"])
        user.save(update_fields=["password"])
        if request.auth is None:
            update_session_auth_hash(sent, user)
        return Response(status=status.HTTP_204_NO_CONTENT)

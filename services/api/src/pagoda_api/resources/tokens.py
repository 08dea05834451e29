"""API tokens: those of whoever asks, ``/api/v2/me/tokens/``, and all, ``/api/v2/tokens/``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import django_filters
from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.mixins import DestroyModelMixin, ListModelMixin, RetrieveModelMixin
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda.domain.user.models import ApiToken, Scope, User
from pagoda_api.fields import CleanNameField, Unchecked, UserSerializer, found_or_404
from pagoda_api.resources.filters import IdFilter, MomentFilter
from pagoda_api.resources.managed import ManagedRows, search_in
from pagoda_api.strict import StrictSerializer, StrictView, checked
from pagoda_plugin_sdk.rules.saying import say

MAX_HOURS = 24 * 36_500


@extend_schema_field({"type": "array", "items": {"type": "string"}})
class UncheckedNetworks(Unchecked):
    """A list of networks, as far as the OpenAPI schema goes."""


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "number", "exclusiveMinimum": 0}]})
class Lifetime(serializers.DurationField):
    """A duration, as a number of seconds or as text."""

    def to_internal_value(self, value: Any) -> timedelta:
        """Return the duration; a number is written without an exponent, which Django does not read."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return super().to_internal_value(f"{value:f}" if is_number else value)


class NewTokenSerializer(StrictSerializer):
    """What may be chosen of a token."""

    not_both = ("lifetime", "expires_time")

    name = CleanNameField(help_text="Such as the machine it is for.")
    lifetime = Lifetime(
        required=False,
        allow_null=True,
        help_text="In seconds, or as `30 00:00:00` or `P30D`; null: for ever. `API_TOKEN_LIFETIME_HOURS` "
        "unless it or `expires_time` is given.",
    )
    expires_time = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Instead of `lifetime`; null: never."
    )
    scope = serializers.ChoiceField(
        choices=Scope.choices, default=Scope.READ_WRITE, help_text="`read-only`: for GET, HEAD and OPTIONS."
    )
    networks = UncheckedNetworks(
        required=False, help_text='From which it may be used, such as `["10.0.0.0/8"]`; none: from all.'
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse two ends of one token."""
        if {"lifetime", "expires_time"} <= attrs.keys():
            raise ValidationError({"lifetime": [say("Give `lifetime` or `expires_time`, not both.")]})
        return attrs


class TokenDetailSerializer(serializers.ModelSerializer[ApiToken]):
    """A token without its text, which is shown once."""

    networks = serializers.ListField(child=serializers.CharField(), read_only=True)
    is_this = serializers.SerializerMethodField(help_text="Whether the request carries it.")

    class Meta:
        model = ApiToken
        fields = [
            *("id", "name", "scope", "networks", "created_time", "expires_time", "last_used_time", "is_this"),
        ]
        read_only_fields = fields

    def get_is_this(self, token: ApiToken) -> bool:
        """Return whether the request carries the token."""
        return bool(self.context["carried"] == token)


class MadeTokenSerializer(TokenDetailSerializer):
    """A token with its text."""

    token = serializers.CharField(read_only=True, help_text="Send it as `Authorization: Token <token>`.")

    class Meta(TokenDetailSerializer.Meta):
        fields = [*TokenDetailSerializer.Meta.fields, "token"]
        read_only_fields = fields


def issue_token(user: User, given: dict[str, Any], made_with: ApiToken | None) -> tuple[ApiToken, str]:
    """Make the token that is asked for by the fields of a `NewTokenSerializer`; `made_with` bounds it.

    Raises:
        django.core.exceptions.ValidationError: see `ApiToken.issue`.
    """
    limits = settings.PAGODA
    hours = min(limits.api_token_lifetime_hours, limits.api_token_max_lifetime_hours or MAX_HOURS)
    ends = timezone.now() + timedelta(hours=hours)
    if made_with is not None and made_with.expires_time is not None:
        ends = min(ends, made_with.expires_time)
    lifetime = given.get("lifetime", given.get("expires_time", ends))
    networks = given.get("networks", [] if made_with is None else made_with.networks)
    return ApiToken.issue(
        user, given["name"], lifetime, scope=given["scope"], networks=networks, made_with=made_with
    )


class OwnTokensView(StrictView):
    """The API tokens of the user who asks."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=TokenDetailSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List them, the newest first."""
        tokens = ApiToken.objects.filter(user=request.user.pk)
        return Response(TokenDetailSerializer(tokens, many=True, context={"carried": request.auth}).data)

    @extend_schema(request=NewTokenSerializer, responses={201: MadeTokenSerializer})
    def post(self, request: Request) -> Response:
        """Make one; its text is shown this once."""
        given = checked(NewTokenSerializer(data=request.data))
        made_with = request.auth if isinstance(request.auth, ApiToken) else None
        token, plain = issue_token(request.user, given, made_with)  # type: ignore[arg-type]  # is logged in
        shown = TokenDetailSerializer(token, context={"carried": request.auth}).data
        return Response({**shown, "token": plain}, status=status.HTTP_201_CREATED)


class OwnTokenView(StrictView):
    """One API token of the user who asks."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: str) -> Response:
        """Revoke it."""
        found_or_404(ApiToken.objects.filter(user=request.user.pk), pk, noun="token").delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class AnyTokenSerializer(TokenDetailSerializer):
    """A token, and whose it is."""

    user = UserSerializer(read_only=True)

    class Meta(TokenDetailSerializer.Meta):
        fields = ["id", "user", *TokenDetailSerializer.Meta.fields[1:]]
        read_only_fields = fields


class TokenFilter(django_filters.FilterSet):
    """Which tokens a list shows."""

    search = django_filters.CharFilter(
        method=search_in("name", "user__username"), label="Part of its name or of its user's."
    )
    user = IdFilter(label="Id of the user whose they are.")
    is_expired = django_filters.BooleanFilter(method="by_end", label="Whether they have ended.")
    used_before = MomentFilter(
        field_name="last_used_time", lookup_expr="lt", label="Those not used since; not those never used."
    )

    class Meta:
        model = ApiToken
        fields = ("scope",)

    def by_end(self, queryset: QuerySet[ApiToken], _name: str, value: bool) -> QuerySet[ApiToken]:
        """Return those that have ended, or those that have not."""
        has_ended = Q(expires_time__lte=timezone.now())
        return queryset.filter(has_ended) if value else queryset.exclude(has_ended)


class TokenViewSet(ManagedRows[ApiToken], ListModelMixin, RetrieveModelMixin, DestroyModelMixin):
    """Tokens that the user may see: all with one of Django's permissions on tokens, one's own without."""

    model = ApiToken
    serializer_class = AnyTokenSerializer
    filterset_class = TokenFilter

    def get_queryset(self) -> QuerySet[ApiToken]:
        """Return them with their users."""
        return self.rows().select_related("user")

    def get_serializer_context(self) -> dict[str, Any]:
        """Return what the serializer has to know: the token that the request carries."""
        return {**super().get_serializer_context(), "carried": self.request.auth}

"""Users and groups: ``/api/v2/users/`` and ``/api/v2/groups/``."""

from __future__ import annotations

from typing import Any

import django_filters
from django.contrib.auth import password_validation
from django.contrib.auth.models import Group, Permission
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import Prefetch, QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.validators import UniqueValidator

from pagoda.domain.access import readable
from pagoda.domain.access.accounts import visible
from pagoda.domain.access.explaining import explain_level
from pagoda.domain.user.models import Role, User, nest, parent_of
from pagoda_api.fields import MAX_ID, CleanNameField, NamedSerializer, found_or_404
from pagoda_api.pagination import number_parameter, whole_number_schema
from pagoda_api.resources.filters import NameFilter
from pagoda_api.resources.managed import (
    ID_OR_OBJECT,
    TARGETS,
    Codenames,
    LinkFilter,
    Links,
    ManagedSerializer,
    ManagedViewSet,
    id_of,
    search_in,
)
from pagoda_plugin_sdk.rules.saying import say


class UsernameField(serializers.CharField):
    """A user's name in the one form (NFKC) in which Django's own forms and commands store and look for it."""

    def to_internal_value(self, data: Any) -> str:
        """Return the name."""
        return User.normalize_username(super().to_internal_value(data))


class AccountSerializer(ManagedSerializer[User]):
    """A user."""

    username = UsernameField(
        max_length=150,
        validators=[
            UnicodeUsernameValidator(),
            UniqueValidator(User.objects.all(), gettext_lazy("A user with that username already exists.")),
        ],
        help_text="Letters, digits and @/./+/-/_ only.",
    )
    password = serializers.CharField(
        required=False,
        write_only=True,
        max_length=4096,
        trim_whitespace=False,
        help_text="None: the user can't log in with one.",
    )
    groups = Links(Group)
    roles = Links(Role, help_text="Those held by the user, not by a group.")
    permissions = Codenames(
        source="user_permissions", required=False, help_text="Django's, of the user alone."
    )
    linked = ("groups", "roles", "user_permissions")

    class Meta:
        model = User
        fields = (
            *("id", "username", "password", "first_name", "last_name", "email"),
            *("is_active", "is_staff", "is_superuser", "groups", "roles", "permissions"),
            *("date_joined", "last_login"),
        )
        read_only_fields = ("date_joined", "last_login")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Hold a password against the site's rules, and one's own against the way that is for it."""
        if "password" not in attrs:
            return attrs
        if self.instance is not None and self.instance == self.context["request"].user:
            fault = say(
                "Change your own password at {what}, which asks for the old one.", what=reverse("my-password")
            )
            raise ValidationError({"password": [fault]}, code="own")
        names = ("username", "first_name", "last_name", "email")
        described = User(**{name: attrs.get(name, getattr(self.instance, name, "")) for name in names})
        try:
            password_validation.validate_password(attrs["password"], described)
        except DjangoValidationError as error:
            raise ValidationError({"password": error.messages}, code="password") from error
        return attrs

    def update(self, instance: User, validated_data: dict[str, Any]) -> User:
        """Store what is given of the user, a password as its hash."""
        password = validated_data.pop("password", None)
        if password is not None:
            instance.set_password(password)
        elif instance._state.adding:
            instance.set_unusable_password()
        return super().update(instance, validated_data)


class HeldGrantSerializer(serializers.Serializer[Any]):
    """A level that a role of the user grants; Any, as it is shown and never made."""

    role = NamedSerializer()
    is_own = serializers.BooleanField(help_text="Whether the user holds the role, not only by a group.")
    groups = NamedSerializer(many=True, help_text="The user's groups that hold it, or are in one that does.")
    level = serializers.CharField()


class AccessStepSerializer(serializers.Serializer[Any]):
    """One of the things that have to allow it; Any, as above."""

    kind = serializers.CharField(help_text="entity, attr or entry.")
    id = serializers.IntegerField()
    default = serializers.CharField(help_text="What everybody who is logged in has on it.")
    is_owner = serializers.BooleanField(help_text="Whether it is of an entity of the user's own: full.")
    grants = HeldGrantSerializer(many=True)


class AccessSerializer(serializers.Serializer[Any]):
    """The level of a user on something, and why; Any, as above."""

    level = serializers.CharField(help_text="nothing, readable, writable or full: of the lowest step.")
    is_fixed = serializers.BooleanField(
        help_text="Whether no step counts: superusers have all, users that are not active nothing."
    )
    steps = AccessStepSerializer(many=True)


class UserFilter(django_filters.FilterSet):
    """Which users a list shows."""

    search = django_filters.CharFilter(
        method=search_in("username", "first_name", "last_name", "email"),
        label="Part of the user's name, first or last name, or address.",
    )
    username = NameFilter()
    group = LinkFilter(Group, "groups", "Id of a group that the user is in.")
    role = LinkFilter(Role, "roles", "Id of a role that the user holds alone.")

    class Meta:
        model = User
        fields = ("is_active", "is_staff", "is_superuser")


class UserViewSet(ManagedViewSet[User]):
    """Users that the user may see: all with one of Django's permissions on users, oneself without."""

    model = User
    serializer_class = AccountSerializer
    filterset_class = UserFilter
    parameters = {"access": tuple(TARGETS)}

    def get_queryset(self) -> QuerySet[User]:
        """Return them with what is shown of them."""
        return self.rows().prefetch_related(
            Prefetch("groups", visible(Group.objects.order_by("name"), self.request.user)),
            Prefetch("roles", visible(Role.objects.order_by("name"), self.request.user)),
            Prefetch("user_permissions", Permission.objects.select_related("content_type")),
        )

    @extend_schema(
        parameters=[
            OpenApiParameter(kind, whole_number_schema(1, MAX_ID), description="Id; give one.")
            for kind in TARGETS
        ],
        responses=AccessSerializer,
        filters=False,
    )
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def access(self, request: Request, pk: str) -> Response:
        """Show what the user may do with something that the asking user may read, and why."""
        given = {kind: number_parameter(request, kind, 0, lowest=0, highest=MAX_ID) for kind in TARGETS}
        asked = [(kind, number) for kind, number in given.items() if number]
        if len(asked) != 1:
            raise ValidationError(
                {"entry": [say("Ask about exactly one of entity, attr and entry.")]}, code="target"
            )
        [(kind, number)] = asked
        rows: QuerySet[Any] = readable(TARGETS[kind]._base_manager.all(), request.user)
        thing = found_or_404(rows, str(number), noun=kind)
        return Response(explain_level(self.get_object(), thing, request.user))


@extend_schema_field(ID_OR_OBJECT)
class ParentField(serializers.Field[Any, Any, Any, Any]):
    """The group that a group is nested in, by id or as it is shown; Any: as the base has it."""

    def get_attribute(self, instance: Group) -> Group | None:
        """Return it."""
        return parent_of(instance)

    def to_representation(self, value: Group) -> dict[str, Any]:
        """Return it by id and name."""
        return dict(NamedSerializer(value).data)

    def to_internal_value(self, data: Any) -> Group:
        """Return the group.

        Raises:
            ValidationError: it is not there for the user.
        """
        number = id_of(data)
        group = visible(Group.objects.filter(pk=number), self.context["request"].user).first()
        if group is None:
            raise ValidationError(
                say("There is no group {number}, or you may not see it.", number=number), code="unknown"
            )
        return group


class GroupSerializer(ManagedSerializer[Group]):
    """A group of users."""

    name = CleanNameField(max_length=150)
    parent = ParentField(  # type: ignore[assignment]  # a field of input, not what holds this one
        required=False, allow_null=True, help_text="The group that it is nested in: it has what that has."
    )
    users = Links(User, "username", source="user_set")
    roles = Links(Role, help_text="Those of the group itself.")
    permissions = Codenames(required=False, help_text="Django's, of the group itself.")
    linked = ("parent", "user_set", "roles", "permissions")

    class Meta:
        model = Group
        fields = ("id", "name", "parent", "users", "roles", "permissions")

    def link(self, instance: Group, name: str, value: Any) -> None:  # Any: what the field returned
        """Link the group; its parent is one link."""
        if name == "parent":
            nest(instance, value)
        else:
            super().link(instance, name, value)


class GroupFilter(django_filters.FilterSet):
    """Which groups a list shows."""

    search = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label="Part of the name.")
    name = NameFilter()
    parent = LinkFilter(Group, "nesting__parent", "Id of the group they are in.")
    user = LinkFilter(User, "user", "Id of a user who is in the group itself.")
    role = LinkFilter(Role, "roles", "Id of a role of the group itself.")

    class Meta:
        model = Group
        fields = ()


class GroupViewSet(ManagedViewSet[Group]):
    """Groups that the user may see: all with one of Django's permissions on groups, one's own without."""

    model = Group
    serializer_class = GroupSerializer
    filterset_class = GroupFilter

    def get_queryset(self) -> QuerySet[Group]:
        """Return them with what is shown of them."""
        return (
            self.rows()
            .select_related("nesting__parent")
            .prefetch_related(
                Prefetch("user_set", visible(User.objects.order_by("username"), self.request.user)),
                Prefetch("roles", visible(Role.objects.order_by("name"), self.request.user)),
                Prefetch("permissions", Permission.objects.select_related("content_type")),
            )
        )

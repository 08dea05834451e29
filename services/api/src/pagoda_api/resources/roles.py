"""Roles and the levels that they grant: ``/api/v2/roles/``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import django_filters
from django.contrib.auth.models import Group
from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from pagoda.domain.access import readable
from pagoda.domain.access.accounts import visible
from pagoda.domain.user.models import Level, Role, RolePermission, User
from pagoda_api.fields import MAX_ID, CleanNameField, NamedSerializer, find_entity
from pagoda_api.resources.filters import IdFilter, NameFilter, asking_user
from pagoda_api.resources.managed import (
    TARGETS,
    LinkFilter,
    Links,
    ManagedSerializer,
    ManagedViewSet,
    id_of,
)
from pagoda_api.strict import refuse_unknown
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.washing import shown

MAX_GRANTS = 10_000
type Target = tuple[str, int]  # its field and its id


class GrantSerializer(serializers.Serializer[Any]):
    """A level that a role grants on one entity, attribute or entry; Any, as it is shown and never made."""

    id = serializers.IntegerField()
    entity = NamedSerializer(allow_null=True)
    attr = NamedSerializer(allow_null=True)
    entry = NamedSerializer(allow_null=True)
    level = serializers.ChoiceField(source="get_level_display", choices=[level.label for level in Level])


@extend_schema_field(GrantSerializer(many=True))
class Grants(serializers.Field[Any, Any, Any, Any]):
    """The levels that a role grants, taken as they are shown; Any: as the base has it."""

    def get_attribute(self, instance: Role) -> Any:
        """Return the permissions, as the view has fetched them."""
        return instance.permissions.all()

    def to_representation(self, value: Iterable[RolePermission]) -> list[dict[str, Any]]:
        """Return them with their targets by id and name."""
        return [dict(each) for each in GrantSerializer(list(value), many=True).data]

    def to_internal_value(self, data: Any) -> dict[Target, Level]:
        """Return the levels by what they are granted on.

        Raises:
            ValidationError: an item is no grant, a target is not there for the user, or is named twice.
        """
        if not isinstance(data, list) or len(data) > MAX_GRANTS:
            fault = say(
                'Give a list of at most {max_grants:,} {{"entity", "attr" or "entry", "level"}}.',
                max_grants=MAX_GRANTS,
            )
            raise ValidationError(fault, code="type")
        grants: dict[Target, Level] = {}
        for item in data:
            target = self._target(item)
            if target in grants:
                raise ValidationError(
                    say(
                        "There are two levels for {target} {id}; give one.",
                        target=target[0],
                        id=target[1],
                    ),
                    code="twice",
                )
            grants[target] = _level(item.get("level"))
        self._require_there(grants)
        return grants

    def _target(self, item: Any) -> Target:
        if not isinstance(item, dict):
            raise ValidationError(say("{item} is no object.", item=shown(item)), code="type")
        refuse_unknown(item, ["id", *TARGETS, "level"], noun=say("field of a permission"))
        given = [(name, item[name]) for name in TARGETS if item.get(name) is not None]
        if len(given) != 1:
            raise ValidationError(
                say("A permission is for exactly one of entity, attr and entry; set one."), code="target"
            )
        [(name, value)] = given
        if name == "entity" and isinstance(value, str):
            return name, find_entity(value, self.context["request"].user, field=name).pk
        return name, id_of(value)

    def _require_there(self, grants: Iterable[Target]) -> None:
        for name, model in TARGETS.items():
            ids = {number for kind, number in grants if kind == name}
            rows: QuerySet[Any] = readable(model._base_manager.all(), self.context["request"].user)
            found = rows.filter(pk__in=[each for each in ids if 0 < each <= MAX_ID]).values_list(
                "pk", flat=True
            )
            if missing := ids - set(found):
                raise ValidationError(
                    say(
                        "There is no {name} {missing}, or you may not see it.",
                        name=name,
                        missing=min(missing),
                    ),
                    code="unknown",
                )


def _level(given: object) -> Level:
    by_label = {level.label: level for level in Level}
    level = by_label.get(given) if isinstance(given, str) else None
    if level is None and isinstance(given, int) and not isinstance(given, bool) and given in Level.values:
        level = Level(given)
    if level is None:
        raise ValidationError(
            say(
                "{given} is no level. There are: {by_label}.",
                given=shown(given),
                by_label=", ".join(by_label),
            ),
            code="level",
        )
    return level


class RoleSerializer(ManagedSerializer[Role]):
    """A role: whom it is granted to, and the levels that it grants."""

    name = CleanNameField()
    users = Links(User, "username", help_text="Those who hold it themselves.")
    groups = Links(Group, help_text="Those that hold it; groups nested in them hold it too.")
    permissions = Grants(
        required=False,
        help_text="What it grants. Sent, it replaces what is shown; what you can't see stays.",
    )
    linked = ("permissions", "users", "groups")

    class Meta:
        model = Role
        fields = (
            *("id", "name", "note", "is_active", "can_add_entities", "users", "groups", "permissions"),
            "created_time",
        )
        read_only_fields = ("created_time",)

    def link(self, instance: Role, name: str, value: Any) -> None:  # Any: what the field returned
        """Link the role; what it grants is stored row by row, each asked for."""
        if name != "permissions":
            super().link(instance, name, value)
            return
        granted = visible(instance.permissions.all(), self.context["request"].user)
        stored = {_target_of(each): each for each in granted.select_related(*TARGETS)}
        for target in stored.keys() - value.keys():
            stored[target].delete()
        for (kind, number), level in value.items():
            row = stored.get((kind, number)) or RolePermission(role=instance, **{f"{kind}_id": number})
            if row.level != level:
                row.level = level
                row.save()


def _target_of(granted: RolePermission) -> Target:
    return next((name, number) for name in TARGETS if (number := getattr(granted, f"{name}_id")) is not None)


class RoleFilter(django_filters.FilterSet):
    """Which roles a list shows."""

    search = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label="Part of the name.")
    name = NameFilter()
    user = LinkFilter(User, "users", "Id of a user who holds it alone.")
    group = LinkFilter(Group, "groups", "Id of a group that holds it.")
    entity = IdFilter(method="of_target", label="Id of an entity that it grants a level on.")
    attr = IdFilter(method="of_target", label="Id of such an attribute.")
    entry = IdFilter(method="of_target", label="Id of such an entry.")

    class Meta:
        model = Role
        fields = ("is_active", "can_add_entities")

    def of_target(self, queryset: QuerySet[Role], name: str, value: int) -> QuerySet[Role]:
        """Return the roles that grant a level on it, as far as the user sees that."""
        granted = visible(RolePermission.objects.filter(**{name: value}), asking_user(self))
        return queryset.filter(pk__in=granted.values("role"))


class RoleViewSet(ManagedViewSet[Role]):
    """Roles that the user may see: all with one of Django's permissions on roles, those held without."""

    model = Role
    serializer_class = RoleSerializer
    filterset_class = RoleFilter

    def get_queryset(self) -> QuerySet[Role]:
        """Return them with what is shown of them."""
        granted = visible(RolePermission.objects.order_by("pk"), self.request.user)
        return self.rows().prefetch_related(
            Prefetch("users", visible(User.objects.order_by("username"), self.request.user)),
            Prefetch("groups", visible(Group.objects.order_by("name"), self.request.user)),
            Prefetch("permissions", granted.select_related(*TARGETS)),
        )

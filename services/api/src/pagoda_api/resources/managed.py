"""What the resources of users, groups and roles share: their views, and fields that link them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import django_filters
from django.contrib.auth.models import Permission
from django.db import IntegrityError, transaction
from django.db.models import Model, Q, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet, ModelViewSet

from pagoda.domain.access.accounts import replace_links, require_managing, visible
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda_api.authentication import actor
from pagoda_api.conditional import ConditionalViewSet, guarded
from pagoda_api.fields import ID, MAX_ID, found_or_404
from pagoda_api.problems import Conflict
from pagoda_api.resources.filters import IdFilter, asking_user
from pagoda_api.strict import StrictFilterBackend, StrictView, refuse_other_types, refuse_unknown
from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.scalar_types import whole
from pagoda_plugin_sdk.rules.text import listed, spellings
from pagoda_plugin_sdk.washing import shown

MAX_LINKS = 10_000
TARGETS: Mapping[str, type[Entity | EntityAttr | Entry]] = {
    "entity": Entity,
    "attr": EntityAttr,
    "entry": Entry,
}
"""``{field: what a level is granted on}``"""

_OBJECT = {
    "type": "object",
    "properties": {"id": ID},
    "required": ["id"],
    "additionalProperties": {},
}
ID_OR_OBJECT = {"oneOf": [ID, _OBJECT]}
"""The OpenAPI schema of what `id_of` takes."""


def id_of(given: object) -> int:
    """Return the id in ``5``, or in an object as it is shown: ``{"id": 5, ...}``.

    Raises:
        ValidationError: there is none.
    """
    number = whole(given.get("id") if isinstance(given, dict) else given)
    if isinstance(number, bool) or not isinstance(number, int):
        raise ValidationError(
            say("{given} is no id, and no object with one.", given=shown(given)), code="type"
        )
    return number


@extend_schema_field({"type": "array", "items": ID_OR_OBJECT, "maxItems": MAX_LINKS})
class Links(serializers.Field[Any, Any, Any, Any]):
    """Rows that another one is linked with: shown with id and name, taken as ids or as they are shown.

    Any: of several models. A user sees and takes those that are visible to them.
    """

    def __init__(self, model: type[Model], shown_by: str = "name", **options: Any) -> None:
        super().__init__(required=False, **options)
        self.model = model
        self.shown_by = shown_by

    def get_attribute(self, instance: Any) -> Any:
        """Return the rows, as the view has fetched them."""
        rows: Any = super().get_attribute(instance)
        return rows.all()

    def to_representation(self, value: Iterable[Any]) -> list[dict[str, Any]]:
        """Return them by id and name."""
        return [{"id": row.pk, self.shown_by: getattr(row, self.shown_by)} for row in value]

    def to_internal_value(self, data: Any) -> list[Model]:
        """Return the rows, in one query.

        Raises:
            ValidationError: it is no list of ids, or names a row that is not there for the user.
        """
        if not isinstance(data, list) or len(data) > MAX_LINKS:
            raise ValidationError(
                say("Give a list of at most {max_links:,} ids.", max_links=MAX_LINKS), code="type"
            )
        ids = [id_of(each) for each in data]
        rows = visible(self.model._default_manager.all(), self.context["request"].user)
        found = rows.in_bulk([each for each in ids if 0 < each <= MAX_ID])
        if missing := [str(each) for each in ids if each not in found]:
            noun = self.model._meta.verbose_name
            raise ValidationError(
                say(
                    "There is no {noun} {missing}, or you may not see it.", noun=noun, missing=listed(missing)
                ),
                code="unknown",
            )
        return list(found.values())


@extend_schema_field({"type": "array", "items": {"type": "string"}})
class Codenames(serializers.Field[Any, Any, Any, Any]):
    """Django's permissions by name, ``["user.add_user"]``; Any: as the base has it."""

    def get_attribute(self, instance: Any) -> Any:
        """Return the permissions, as the view has fetched them."""
        rows: Any = super().get_attribute(instance)
        return rows.all()

    def to_representation(self, value: Iterable[Permission]) -> list[str]:
        """Return their names."""
        return sorted(f"{each.content_type.app_label}.{each.codename}" for each in value)

    def to_internal_value(self, data: Any) -> list[Permission]:
        """Return the permissions.

        Raises:
            ValidationError: it is no list of names, or one is unknown.
        """
        if not isinstance(data, list) or not all(isinstance(each, str) for each in data):
            raise ValidationError(say('Give a list of names such as "user.add_user".'), code="type")
        known = {
            f"{each.content_type.app_label}.{each.codename}": each
            for each in Permission.objects.select_related("content_type")
        }
        if unknown := [each for each in data if each not in known]:
            raise ValidationError(
                say(
                    "There is no permission {unknown}.{hint}",
                    unknown=shown(unknown[0]),
                    hint=near_misses(unknown[0], known),
                ),
                code="unknown",
            )
        return [known[each] for each in data]


class ManagedSerializer[M: Model](serializers.ModelSerializer[M]):
    """A row that is taken as it is shown; what nobody reads is refused, and all is stored or nothing."""

    linked: ClassVar[tuple[str, ...]] = ()
    """Sources of fields that are stored after the row."""

    def to_internal_value(self, data: Any) -> Any:  # Any: unchecked
        """Return the checked fields.

        Raises:
            ValidationError: a field is wrong or unknown, or is read-only and not sent as it is shown.
        """
        if isinstance(data, dict):
            refuse_unknown(data, self.fields, noun="field")
            is_shown = {} if self.instance is None else self.to_representation(self.instance)
            for name, field in self.fields.items():
                if field.read_only and name in data and (not is_shown or data[name] != is_shown[name]):
                    fault = say("It can't be changed; leave it out, or send it as it is shown now.")
                    raise ValidationError({name: [fault]}, code="read_only")
            writable = {name: field for name, field in self.fields.items() if not field.read_only}
            refuse_other_types(data, writable)
        return super().to_internal_value(data)

    def validate_name(self, name: str) -> str:
        """Refuse a name that another row has."""
        own = None if self.instance is None else self.instance.pk
        model: type[M] = self.Meta.model
        if model._default_manager.filter(name__in=spellings([name])).exclude(pk=own).exists():
            noun = model._meta.verbose_name
            raise ValidationError(
                say("There is a {noun} {name!r} already; choose another name.", noun=noun, name=name),
                code="unique",
            )
        return name

    def create(self, validated_data: dict[str, Any]) -> M:
        """Store a new row."""
        return self.update(self.Meta.model(), validated_data)  # type: ignore[misc]  # a model of its own

    def update(self, instance: M, validated_data: dict[str, Any]) -> M:
        """Store what is given of the row."""
        links = {name: validated_data.pop(name) for name in self.linked if name in validated_data}
        with transaction.atomic():
            for name, value in validated_data.items():
                setattr(instance, name, value)
            instance.save()
            for name, value in links.items():
                self.link(instance, name, value)
        return instance

    def link(self, instance: M, name: str, value: Any) -> None:  # Any: what the field returned
        """Link the row with those given; links with rows that the user can't see stay."""
        replace_links(getattr(instance, name), value, self.context["request"].user)


class ManagedRows[M: Model](StrictView, GenericViewSet[M]):
    """Rows of one kind that the user may see."""

    model: type[M]
    filter_backends = (StrictFilterBackend,)
    lookup_value_regex = "[0-9]+"

    def rows(self) -> QuerySet[M]:
        """Return those that the user may see, the oldest first: new ones don't shift pages."""
        return visible(self.model._default_manager.order_by("pk"), self.request.user)

    def get_object(self) -> M:
        """Return the row that the path names.

        Raises:
            NotFound: it does not exist, or the user may not see it.
        """
        return found_or_404(self.get_queryset(), self.kwargs["pk"], noun=str(self.model._meta.verbose_name))

    def perform_destroy(self, instance: M) -> None:
        """Delete it, or nothing."""
        with transaction.atomic():
            instance.delete()


class ManagedViewSet[M: Model](ManagedRows[M], ConditionalViewSet[M], ModelViewSet[M]):
    """Rows of one kind that the user may see; Django's permissions let them be changed."""

    def get_object(self) -> M:
        """Return the row that the path names.

        Raises:
            NotFound: it does not exist, or the user may not see it.
            PermissionDenied: the user may not do that to what they see.
        """
        row = ManagedRows.get_object(self)
        verb = {"PUT": "change", "PATCH": "change", "DELETE": "delete"}.get(self.request.method or "")
        if verb is not None:
            require_managing(actor(self.request), self.model, verb)
        return row

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # Any: as the base has it
        """Make one. Who may not is told nothing else, such as which names are taken."""
        require_managing(actor(request), self.model, "add")
        return super().create(request, *args, **kwargs)

    @guarded
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # Any: as the base has it
        """Change what is given; a PUT gives all."""
        return super().update(request, *args, **kwargs)

    @guarded
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # Any: as the base has it
        """Remove it for good."""
        return super().destroy(request, *args, **kwargs)

    def perform_create(self, serializer: BaseSerializer[M]) -> None:
        """Store it, and show it as it is then."""
        self._stored(serializer)

    def perform_update(self, serializer: BaseSerializer[M]) -> None:
        """Store it, and show it as it is then."""
        self._stored(serializer)

    def _stored(self, serializer: BaseSerializer[M]) -> None:
        try:
            row = serializer.save()
        except IntegrityError as error:  # of two requests at once, each of which found the name free
            raise Conflict(say("Another request changed the same just now. Send it again.")) from error
        serializer.instance = self.get_queryset().filter(pk=row.pk).first() or row


class LinkFilter(IdFilter):
    """Finds what is linked with one row, by its id; nothing is, for who may not see that row."""

    parent: django_filters.FilterSet  # that it is of, which sets it, and `model` to its own

    def __init__(self, model: type[Model], field_name: str, label: str) -> None:
        super().__init__(field_name, label=label)
        self.linked = model

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:  # Any: several models; a number or None
        """Return those of `qs` that are linked with the row."""
        if value is None:
            return qs
        row = visible(self.linked._default_manager.filter(pk=value), asking_user(self.parent))
        return qs.filter(**{f"{self.field_name}__in": row.order_by().values("pk")})


def search_in(*fields: str) -> Callable[..., QuerySet[Any]]:
    """Return the method of a filter that finds a part of one of the fields."""

    def search(queryset: QuerySet[Any], _name: str, value: str) -> QuerySet[Any]:
        found = Q()
        for field in fields:
            found |= Q(**{f"{field}__icontains": value})
        return queryset.filter(found)

    return search

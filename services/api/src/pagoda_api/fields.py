"""Parts of several resources: fields of input that the host's services check, and things shown and found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import CharField, F, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.fields import empty

from pagoda.domain.access import readable
from pagoda.domain.entity.models import Entity, FormerState
from pagoda.domain.entry.past import existing_at
from pagoda.domain.entry.reading import with_version
from pagoda.domain.user.models import Level
from pagoda.domain.user.permissions import Viewer
from pagoda_plugin_sdk.exceptions import COMPARED_NAMES, near_misses
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.scalar_types import whole
from pagoda_plugin_sdk.rules.text import (
    MAX_NAME_LENGTH,
    clean_name,
    label_fault,
    spellings,
    validate_name,
)
from pagoda_plugin_sdk.washing import shown

MAX_ID = 2**63 - 1
"""The highest id that a database column holds; more is no id."""

ID = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
"""The OpenAPI schema of an id."""


@extend_schema_field(OpenApiTypes.ANY)
class Unchecked(serializers.Field[Any, Any, Any, Any]):
    """Passes a value on as it came: the host's service checks it, for every caller alike.

    Any: JSON of every type. DRF's own fields would turn 5 into "5" and trim names.
    """

    def to_internal_value(self, data: Any) -> Any:
        """Return `data` itself."""
        return data

    def to_representation(self, value: Any) -> Any:
        """Return `value` itself."""
        return value


@extend_schema_field(OpenApiTypes.STR)
class UncheckedText(Unchecked):
    """Text, as far as the OpenAPI schema goes."""


NAME = {"type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH}
"""The OpenAPI schema of a name."""


@extend_schema_field(NAME)
class UncheckedName(Unchecked):
    """A name, as far as the OpenAPI schema goes."""


LEVEL = {"type": "integer", "enum": [level.value for level in Level]}
"""The OpenAPI schema of a level by its number."""


@extend_schema_field(LEVEL)
class UncheckedLevel(Unchecked):
    """The number of a level, as far as the OpenAPI schema goes."""


@extend_schema_field({"type": "array", "items": {"$ref": "#/components/schemas/AttributeSpec"}})
class UncheckedSpecs(Unchecked):
    """A list of attributes of an entity, as far as the OpenAPI schema goes."""


VALUES = {
    "oneOf": [
        {"type": "object", "additionalProperties": {}},
        {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": ID, "name": NAME, "value": {}},
                "required": ["value"],
                "anyOf": [{"required": ["id"]}, {"required": ["name"]}],
                "additionalProperties": {},
            },
        },
    ]
}
"""The OpenAPI schema of values of an entry, as they are sent."""


@extend_schema_field(VALUES)
class UncheckedValues(Unchecked):
    """Values by name, or a list of objects, as far as the OpenAPI schema goes."""


ID_OR_NAME = {"oneOf": [ID, NAME], "description": "An id or a name."}
"""The OpenAPI schema of what names something."""


@extend_schema_field(ID_OR_NAME)
class IdOrName(Unchecked):
    """The id or the name of something; its type is checked here."""

    def to_internal_value(self, data: Any) -> int | str:
        """Return `data` when it is a whole number or a text.

        Raises:
            ValidationError: it is neither.
        """
        if isinstance(data, float):
            data = whole(data)
        if isinstance(data, bool) or not isinstance(data, int | str):
            raise ValidationError(say("{data} is neither an id nor a name.", data=shown(data)), code="type")
        return data


class CleanNameField(serializers.CharField):
    """The name of something, checked and returned as it is to be stored."""

    def __init__(self, **options: Any) -> None:  # Any: DRF's
        options.setdefault("max_length", MAX_NAME_LENGTH)
        options.setdefault("validators", [validate_name])
        super().__init__(**options)

    def run_validation(self, data: Any = empty) -> Any:
        """Return the checked name; sent back as it is stored, it stays as it is."""
        stored = getattr(getattr(self.parent, "instance", None), str(self.field_name), None)
        return data if isinstance(data, str) and data == stored else super().run_validation(data)

    def to_internal_value(self, data: Any) -> str:
        """Return the clean name."""
        return str(clean_name(super().to_internal_value(data)))


class NamedSerializer(serializers.Serializer[Any]):
    """An object by its id and name; Any: entities, entries, groups and roles have both."""

    id = serializers.IntegerField(read_only=True)
    name = serializers.CharField(read_only=True)


class UserSerializer(serializers.Serializer[Any]):
    """A user by id and name; Any, as it is shown and never made."""

    id = serializers.IntegerField(read_only=True)
    username = serializers.CharField(read_only=True)


def found_or_404[M: Model](queryset: QuerySet[M], pk: str, *, noun: str) -> M:
    """Return the row with this id.

    Raises:
        NotFound: it does not exist, or the user may not see it; which of the two is not told.
    """
    found = queryset.filter(pk=int(pk)).first()
    if found is None:
        raise NotFound(say("There is no {noun} {pk}, or you may not see it.", noun=noun, pk=int(pk)))
    return found


def find_entity(given: int | str, user: Viewer | None, *, field: str, to_fill: bool = False) -> Entity:
    """Return the active entity with this id or name that `user` may read; digits in a text may be either.

    `to_fill` has it bring what making an entry of it as `user` needs.

    Raises:
        ValidationError: keyed by `field`; there is none, the closest names that `user` may read are given.
    """
    entities = readable(Entity.objects.active(), user)
    entities = with_version(entities, user) if to_fill else entities
    spelt = spellings([given])  # none where no name is so
    found = list(entities.filter(name__in=spelt)) if spelt else []
    number = _as_id(given)
    if not found and number is not None:
        found = list(entities.filter(pk=number))
    if found:
        return found[0]
    fault = label_fault(clean_name(given)) if isinstance(given, str) else None
    if fault is not None:
        raise ValidationError({field: [say("The name of an entity {fault}.", fault=fault)]}, code="unknown")
    names = entities.order_by("name").values_list("name", flat=True)[:COMPARED_NAMES]
    misses = near_misses(given, names) if isinstance(given, str) else ""
    raise ValidationError(
        {field: [say("There is no entity {given}.{misses}", given=shown(given), misses=misses)]},
        code="unknown",
    )


def find_entities(given: Sequence[int | str], user: Viewer | None, *, field: str) -> list[int]:
    """Return the id of each, found as `find_entity` does, by a query for all, and one for what may be ids.

    Raises:
        ValidationError: as of `find_entity`.
    """
    entities = readable(Entity.objects.active(), user)
    named = dict(entities.filter(name__in=spellings(given)).values_list("name", "pk"))
    numbers = {each: _as_id(each) for each in given}
    ids = [each for each in numbers.values() if each]
    standing = set(entities.filter(pk__in=ids).values_list("pk", flat=True)) if ids else set()
    found = []
    for each, number in numbers.items():
        by_name = next((named[name] for name in spellings([each]) if name in named), None)
        by_id = number if number in standing else None
        found.append(by_name or by_id or find_entity(each, user, field=field).pk)
    return found


def find_entity_at(given: int | str, user: Viewer | None, at: datetime, *, field: str) -> Entity:
    """Return the entity that had this id or name at a time, whatever became of it since, or has it now.

    Raises:
        ValidationError: as of `find_entity`.
    """
    entities = existing_at(readable(Entity.objects.all(), user), at)
    former = FormerState.objects.filter(pk=OuterRef("former_id")).values("name")
    name_then = Coalesce(Subquery(former), F("name"), output_field=CharField())
    named = entities.annotate(name_then=name_then)
    standing_first = F("was_active").desc()
    found: Entity | None = named.filter(name_then__in=spellings([given])).order_by(standing_first).first()
    if found is None and (number := _as_id(given)) is not None:
        found = entities.filter(pk=number).first()
    return found or find_entity(given, user, field=field)


def _as_id(given: int | str) -> int | None:
    if isinstance(given, str) and not (given.isascii() and given.isdecimal() and len(given) < 20):
        return None
    number = int(given)
    return number if 0 < number <= MAX_ID else None

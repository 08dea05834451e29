"""An entity's own fields as callers and hooks send them, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pagoda.domain.changes import Action, Change
from pagoda.domain.entity.models import Entity
from pagoda.domain.user.permissions import Viewer, person
from pagoda_plugin_sdk.rules.entity_fields import read_entity_fields, taken_name
from pagoda_plugin_sdk.rules.text import renamed, spellings


def differing(stored: Entity, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the given fields is not stored already, a name as it is to be stored."""
    if "name" in given:
        given = {**given, "name": renamed(stored.name, given["name"])}
    return {key: value for key, value in given.items() if getattr(stored, key, None) != value}


def read_fields(given: Mapping[str, Any], *, exclude: int | None) -> dict[str, Any]:
    """Return the fields checked; `exclude` is the entity that may have the name already.

    Raises:
        ValidationError: keyed by field, all faults together.
    """
    fields = read_entity_fields(given)
    if "name" in fields:
        refuse_taken(fields["name"], exclude=exclude)
    return fields


def refuse_taken(name: str, *, exclude: int | None) -> None:
    """Raise ValidationError if another active entity has the name; which one is not told."""
    others = Entity.objects.active().filter(name__in=spellings([name]))
    if (others if exclude is None else others.exclude(pk=exclude)).exists():
        raise taken_name(name)


def entity_change(
    entity: Entity | None, action: Action, user: Viewer | None, data: dict[str, Any], name: str
) -> Change:
    """Return the change of an entity that is, or is to be, stored as `name`."""
    return Change(
        subject="entity", action=action, instance=entity, user=person(user), data=data, entity_name=name
    )

"""An entity's own fields as callers and hooks send them, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError

from pagoda.domain.changes import Action, Change
from pagoda.domain.entity.models import Entity
from pagoda.domain.user.permissions import Viewer, person
from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.rules.specs import read_level, read_note
from pagoda_plugin_sdk.rules.text import name_fault


def differing(stored: Entity, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the given fields is not stored already."""
    return {key: value for key, value in given.items() if getattr(stored, key, None) != value}


def read_fields(given: Mapping[str, Any], *, exclude: int | None) -> dict[str, Any]:
    """Return the fields checked; `exclude` is the entity that may have the name already.

    Raises:
        ValidationError: keyed by field, all faults together.
    """
    fields: dict[str, Any] = {}
    faults: dict[str, ValidationError] = {}
    for key, value in given.items():
        try:
            fields[key] = _FIELDS.get(key, _unknown(key))(value)
        except ValidationError as fault:
            faults[key] = fault
    if faults:
        raise ValidationError(faults)
    if "name" in fields:
        refuse_taken(fields["name"], exclude=exclude)
    return fields


def refuse_taken(name: str, *, exclude: int | None) -> None:
    """Raise ValidationError if another active entity has the name; which one is not told."""
    others = Entity.objects.active().filter(name=name)
    if (others if exclude is None else others.exclude(pk=exclude)).exists():
        message = f"The name {name!r} is taken by another entity; choose another name."
        raise ValidationError({"name": [message]}, code="taken")


def entity_change(
    entity: Entity | None, action: Action, user: Viewer | None, data: dict[str, Any], name: str
) -> Change:
    """Return the change of an entity that is, or is to be, stored as `name`."""
    return Change(
        subject="entity", action=action, instance=entity, user=person(user), data=data, entity_name=name
    )


def _name(raw: object) -> str:
    fault = name_fault(raw)
    if fault is not None:
        raise ValidationError(f"The name of an entity {fault}.", code="name")
    return str(raw)


def _unknown(key: str) -> Callable[[object], object]:
    def refuse(_raw: object) -> object:
        misses = near_misses(key, _FIELDS)
        raise ValidationError(
            f"An entity has no field {key!r}.{misses} It has {', '.join(_FIELDS)}.", code="unknown"
        )

    return refuse


_FIELDS: Final[Mapping[str, Callable[[object], object]]] = {
    "name": _name,
    "note": read_note,
    "default_permission": read_level,
}

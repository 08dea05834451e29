"""What callers say about an entity itself: its name, its note and the level that others have on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError

from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.rules.faults import Faults
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.specs import read_level, read_note
from pagoda_plugin_sdk.rules.text import clean_name, name_fault


def taken_name(name: str) -> ValidationError:
    """Return the refusal of an entity's name that another has."""
    message = say("The name {name!r} is taken by another entity; choose another name.", name=name)
    return ValidationError({"name": ValidationError(message, code="taken")})


def read_entity_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entity's own fields, checked.

    Raises:
        ValidationError: keyed by field, all faults together.
    """
    fields: dict[str, Any] = {}
    faults = Faults()
    for key, value in given.items():
        if faults.is_full and key not in _ENTITY_FIELDS:
            faults.add(key, "")
            continue
        try:
            fields[key] = _ENTITY_FIELDS.get(key, _unknown_field(key))(value)
        except ValidationError as fault:
            faults.add(key, fault)
    faults.raise_if_any()
    return fields


def _entity_name(raw: object) -> str:
    fault = name_fault(raw)
    if fault is not None:
        raise ValidationError(say("The name of an entity {fault}.", fault=fault), code="name")
    return str(clean_name(raw))


def _unknown_field(key: str) -> Callable[[object], object]:
    def refuse(_raw: object) -> object:
        misses = near_misses(key, _ENTITY_FIELDS)
        raise ValidationError(
            say(
                "An entity has no field {key!r}.{misses} It has {entity_fields}.",
                key=key,
                misses=misses,
                entity_fields=", ".join(_ENTITY_FIELDS),
            ),
            code="unknown",
        )

    return refuse


_ENTITY_FIELDS: Final[Mapping[str, Callable[[object], object]]] = {
    "name": _entity_name,
    "note": read_note,
    "default_permission": read_level,
}

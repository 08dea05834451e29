"""An entry's attributes in the forms that callers get."""

from __future__ import annotations

from typing import Any

from pagoda.domain.entry.state import EntryState
from pagoda.domain.entry.value_types import as_json, as_python
from pagoda.domain.user.models import Level


def attrs_of(state: EntryState) -> dict[str, Any]:  # Any: a value of the attribute's type
    """Return ``{attribute name: value}`` with Python values."""
    return {each.name: as_python(each, state.value(each)) for each in state.definitions}


def items_of(state: EntryState) -> list[dict[str, Any]]:  # Any: a JSON value
    """Return ``[{"id", "name", "value"}]`` with JSON values, of every attribute: what validators see."""
    return [
        {"id": each.id, "name": each.name, "value": as_json(each, state.value(each), is_limited=False)}
        for each in state.definitions
    ]


def attrinfo_of(state: EntryState) -> list[dict[str, Any]]:  # Any: a JSON value
    """Return the attributes that the state's viewer may read.

    Each is ``{"id", "name", "type", "value", "is_mandatory", "is_readable"}`` with the type's name and a JSON
    value, from which targets are left out that the viewer may not read.
    """
    return [
        {
            "id": each.id,
            "name": each.name,
            "type": each.type.type_name,
            "value": as_json(each, state.value(each), is_limited=True),
            "is_mandatory": each.is_mandatory,
            "is_readable": True,
        }
        for each in state.definitions
        if each.level >= Level.READABLE
    ]

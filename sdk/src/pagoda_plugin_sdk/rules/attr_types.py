"""The types an attribute can have."""

from __future__ import annotations

from enum import IntFlag
from typing import Final

from django.core.exceptions import ValidationError

from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.washing import shown


class AttrType(IntFlag):
    """A type as stored: one base flag, with NAMED (objects only) and ARRAY where they apply."""

    OBJECT = 1 << 0  # a reference to an entry
    STRING = 1 << 1  # short text
    TEXT = 1 << 2  # long text
    BOOLEAN = 1 << 3
    GROUP = 1 << 4  # a reference to a group of users
    DATE = 1 << 5
    ROLE = 1 << 6  # a reference to a role
    DATETIME = 1 << 7  # an instant, stored in UTC
    NUMBER = 1 << 8  # integer or floating point
    SELECT = 1 << 9  # one of the attribute's choices
    ARRAY = 1 << 10  # a list of the base type
    NAMED = 1 << 11  # the reference carries a name of its own

    # Facts of the types in `TYPES`, set once below: the enum's own operators cost ten times a read.
    is_array: bool  # the values are lists
    is_reference: bool  # the values point to entries, groups or roles
    element: AttrType  # the type of one element of an array, the type itself otherwise
    type_name: str  # such as ``array_named_object``


_ELEMENTS: Final[dict[str, AttrType]] = {
    "string": AttrType.STRING,
    "text": AttrType.TEXT,
    "boolean": AttrType.BOOLEAN,
    "number": AttrType.NUMBER,
    "date": AttrType.DATE,
    "datetime": AttrType.DATETIME,
    "object": AttrType.OBJECT,
    "named_object": AttrType.OBJECT | AttrType.NAMED,
    "group": AttrType.GROUP,
    "role": AttrType.ROLE,
    "select": AttrType.SELECT,
}
TYPES: Final[dict[str, AttrType]] = _ELEMENTS | {
    f"array_{name}": element | AttrType.ARRAY for name, element in _ELEMENTS.items()
}
_REFERENCES: Final = AttrType.OBJECT | AttrType.GROUP | AttrType.ROLE

for _name, _type in TYPES.items():
    _type.is_array = AttrType.ARRAY in _type
    _type.is_reference = bool(_type & _REFERENCES)
    _type.element = _type & ~AttrType.ARRAY
    _type.type_name = _name


def parse_type(value: object) -> AttrType:
    """Return the type that `value` names: its name, its number or an `AttrType`.

    Raises:
        ValidationError: `value` is none of these.
    """
    if isinstance(value, str) and value in TYPES:
        return TYPES[value]
    if isinstance(value, int) and not isinstance(value, bool) and value in TYPES.values():
        return AttrType(value)
    misses = near_misses(value, TYPES) if isinstance(value, str) else ""
    message = say(
        "There is no attribute type {value}.{misses} The types are {types}.",
        value=shown(value),
        misses=misses,
        types=", ".join(TYPES),
    )
    raise ValidationError(message, code="unknown_type")

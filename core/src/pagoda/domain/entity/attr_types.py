"""The types an attribute can have."""

from __future__ import annotations

from enum import IntFlag
from typing import Final

from django.core.exceptions import ValidationError

from pagoda.washing import shown
from pagoda_plugin_sdk.exceptions import near_misses


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

    @property
    def is_array(self) -> bool:
        """Whether the values are lists."""
        return bool(int(self) & _ARRAY)  # integers, as the enum's own operators cost ten times as much

    @property
    def element(self) -> AttrType:
        """The type of one element of an array, the type itself otherwise."""
        return _BY_NUMBER[int(self) & ~_ARRAY]

    @property
    def is_reference(self) -> bool:
        """Whether the values point to entries, groups or roles."""
        return bool(int(self) & _REFERENCES)

    @property
    def type_name(self) -> str:
        """The type's name, such as ``array_named_object``."""
        return _NAMES[self]


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
_ARRAY: Final = int(AttrType.ARRAY)
_REFERENCES: Final = int(AttrType.OBJECT | AttrType.GROUP | AttrType.ROLE)
_BY_NUMBER: Final[dict[int, AttrType]] = {int(attr_type): attr_type for attr_type in TYPES.values()}
_NAMES: Final[dict[AttrType, str]] = {attr_type: name for name, attr_type in TYPES.items()}


def parse_type(value: object) -> AttrType:
    """Return the type that `value` names: its name, its number or an `AttrType`.

    Raises:
        ValidationError: `value` is none of these.
    """
    if isinstance(value, str) and value in TYPES:
        return TYPES[value]
    if isinstance(value, int) and not isinstance(value, bool) and value in _NAMES:
        return AttrType(value)
    misses = near_misses(value, TYPES) if isinstance(value, str) else ""
    message = f"There is no attribute type {shown(value)}.{misses} The types are {', '.join(TYPES)}."
    raise ValidationError(message, code="unknown_type")

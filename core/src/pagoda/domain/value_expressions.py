"""An attribute's current value in SQL: what conditions compare, what pages are ordered by, what is indexed.

Texts, dates and instants are compared by code point, numbers and references (by id) as numbers, on both
databases alike. The attribute's id is written into the statement, and not sent beside it: an index of an
expression serves the same expression alone. It has the entries of the attribute's entity only, so a query has
to say ``schema_id`` too. A row in doubt, whose current values are null, has no value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal

from django.db import models
from django.db.models import F, Func, Lookup, Q
from django.db.models.expressions import Combinable
from django.db.models.lookups import Exact, GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual

from pagoda_plugin_sdk.rules.attr_types import AttrType

if TYPE_CHECKING:
    from django.db.models.sql.compiler import SQLCompiler

KEY_LENGTH: Final = 200  # of a text in an index: PostgreSQL refuses rows whose key takes 2,700 bytes

type Operator = Literal["exact", "gt", "gte", "lt", "lte"]

# Any below: a value of each type
_LOOKUPS: Final[dict[Operator, Callable[[Any, Any], Lookup[Any]]]] = {
    "exact": Exact,
    "gt": GreaterThan,
    "gte": GreaterThanOrEqual,
    "lt": LessThan,
    "lte": LessThanOrEqual,
}
# Of a text as long as an index keeps: what its beginning has to fulfil.
_OF_BEGINNING: Final[dict[Operator, Operator]] = {"gt": "gte", "lt": "lte"}


def has_key(attr_type: AttrType) -> bool:
    """Return whether an index of its values can be made: arrays are served by the one of all values."""
    return not attr_type.is_array


def value_of(attr_id: int, attr_type: AttrType) -> Func:
    """Return the value of a type that `has_key`.

    Text, number or boolean; an instant has no ``Z`` at its end, see `comparable`; a reference is its id.
    """
    return _Value(F("current_values"), attr_id, attr_type)


def key_of(attr_id: int, attr_type: AttrType) -> Func:
    """Return what an index has of the value, and what entries are ordered by: a long text's beginning."""
    return _Value(F("current_values"), attr_id, attr_type, is_key=True)


def comparable(attr_type: AttrType, stored: Any) -> Any:
    """Return a value as it is stored in the form in which `value_of` gives it."""
    return stored.removesuffix("Z") if attr_type is AttrType.DATETIME else stored


def compared(attr_id: int, attr_type: AttrType, operator: Operator, stored: Any) -> Q:
    """Return the condition that the value is so beside another, given as it would be stored."""
    given = comparable(attr_type, stored)
    key = key_of(attr_id, attr_type)
    if not _is_text(attr_type) or len(given) < KEY_LENGTH:
        return Q(_LOOKUPS[operator](key, given))
    beginning = _LOOKUPS[_OF_BEGINNING.get(operator, operator)](key, given[:KEY_LENGTH])
    return Q(beginning) & Q(_LOOKUPS[operator](value_of(attr_id, attr_type), given))


def _is_text(attr_type: AttrType) -> bool:
    return not attr_type.is_reference and attr_type not in (AttrType.NUMBER, AttrType.BOOLEAN)


class _Value(Func):
    def __init__(
        self, column: Combinable, attr_id: int, attr_type: AttrType, *, is_key: bool = False
    ) -> None:
        is_boolean = attr_type is AttrType.BOOLEAN
        # A plain field sends numbers as they are, whole ones of 64 bits too.
        field = models.TextField() if _is_text(attr_type) else models.BooleanField() if is_boolean else None
        super().__init__(column, output_field=field or models.Field())
        self._id = int(attr_id)
        self._type = attr_type
        self._length = KEY_LENGTH if is_key and _is_text(attr_type) else None

    # Any below: what a template of Func would use

    def as_postgresql(
        self, compiler: SQLCompiler, *_args: Any, **_context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        column, params = compiler.compile(self.get_source_expressions()[0])
        path = f"'{{{self._id},id}}'" if AttrType.NAMED in self._type else f"'{{{self._id}}}'"
        text = f"{column} #>> {path}"
        if _is_text(self._type):
            text = f"RTRIM({text}, 'Z')" if self._type is AttrType.DATETIME else text
            text = f"LEFT({text}, {self._length})" if self._length else text
            return f'(({text}) COLLATE "C")', tuple(params)
        json_type, sql_type = (
            ("boolean", "boolean") if self._type is AttrType.BOOLEAN else ("number", "numeric")
        )
        # No value of another type may make the statement fail, or a write by the index.
        is_one = f"jsonb_typeof({column} #> {path}) = '{json_type}'"
        return f"CASE WHEN {is_one} THEN ({text})::{sql_type} END", (*params, *params)

    def as_sqlite(self, compiler: SQLCompiler, *_args: Any, **_context: Any) -> tuple[str, tuple[Any, ...]]:
        column, params = compiler.compile(self.get_source_expressions()[0])
        path = f'$."{self._id}"' + (".id" if AttrType.NAMED in self._type else "")
        value = f"JSON_EXTRACT({column}, '{path}')"
        if not _is_text(self._type):
            types = "'true', 'false'" if self._type is AttrType.BOOLEAN else "'integer', 'real'"
            value = f"CASE WHEN JSON_TYPE({column}, '{path}') IN ({types}) THEN {value} END"
            return value, (*params, *params)
        value = f"RTRIM({value}, 'Z')" if self._type is AttrType.DATETIME else value
        return (f"SUBSTR({value}, 1, {self._length})" if self._length else value), tuple(params)

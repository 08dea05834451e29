"""One value against another in SQL, as `pagoda.domain.value_expressions` does not compare them.

On PostgreSQL an equal value is found by the GIN index on all current values. Arrays fit where one of their
elements does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import re2
from django.db.models import BooleanField, Func
from django.db.models.expressions import Combinable

from pagoda.domain.search.conditions import MAX_REGEX_LENGTH, MAX_TEXT_LENGTH, MAX_VALUES
from pagoda.domain.search.regexes import FUNCTION, for_postgresql, regex_fault
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.converting import NUMERAL
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.scalar_types import MAX_INTEGER, SCALAR_TYPES, ValueFault
from pagoda_plugin_sdk.washing import shown, text_fault

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler

type Sql = tuple[str, tuple[Any, ...]]


class ValueKind(Enum):
    """How values compare."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    INSTANT = "datetime"


_EQUAL: Final = ("eq", "ne", "in", "empty")
_RANGES: Final = ("gt", "gte", "lt", "lte")
_PARTS: Final = ("contains", "startswith", "regex")
OPERATORS_OF: Final = {
    ValueKind.TEXT: (*_EQUAL, *_RANGES, *_PARTS),
    ValueKind.NUMBER: (*_EQUAL, *_RANGES),
    ValueKind.BOOLEAN: _EQUAL,
    ValueKind.DATE: (*_EQUAL, *_RANGES),
    ValueKind.INSTANT: (*_EQUAL, *_RANGES),
}
REFERENCE_OPERATORS: Final = (*_EQUAL, *_PARTS)
_SIGNS: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_KINDS: Final = {
    AttrType.STRING: ValueKind.TEXT,
    AttrType.TEXT: ValueKind.TEXT,
    AttrType.SELECT: ValueKind.TEXT,
    AttrType.NUMBER: ValueKind.NUMBER,
    AttrType.BOOLEAN: ValueKind.BOOLEAN,
    AttrType.DATE: ValueKind.DATE,
    AttrType.DATETIME: ValueKind.INSTANT,
}
_TYPES: Final = {kind: attr_type for attr_type, kind in _KINDS.items() if attr_type is not AttrType.SELECT}


def kind_of_values(attr_type: AttrType) -> ValueKind | None:
    """Return how values of a type compare; None: they are references."""
    return _KINDS.get(attr_type.element)


def read_value(kind: ValueKind, operator: str, raw: object) -> Any:  # Any: of the kind, a list for `in`
    """Return the value that a test holds its field against.

    Raises:
        ValueFault: it is none.
    """
    match operator:
        case "empty":
            return _boolean(raw)
        case "in":
            return read_values(raw, lambda each: read_value(kind, "eq", each))
        case "contains" | "startswith" | "regex":
            return read_part(operator, raw)
        case _:
            return _READERS[kind](raw)


def read_values(raw: object, read: Callable[[object], Any]) -> list[Any]:
    """Return the values of an `in`, each read by `read`.

    Raises:
        ValueFault: it is no list, or one of too many.
    """
    if not isinstance(raw, list):
        raise ValueFault(say("expected a list, got {raw}", raw=shown(raw)))
    if len(raw) > MAX_VALUES:
        raise ValueFault(
            say(
                "has {count:,} values, at most {max_values} are allowed; ask several times",
                count=len(raw),
                max_values=MAX_VALUES,
            )
        )
    return [read(each) for each in raw]


def read_part(operator: str, raw: object) -> str:
    """Return the text or the pattern to look for.

    Raises:
        ValueFault: it is none.
    """
    most = MAX_REGEX_LENGTH if operator == "regex" else MAX_TEXT_LENGTH
    fault = text_fault(raw, most) or (regex_fault(str(raw)) if operator == "regex" else None)
    if fault is not None:
        raise ValueFault(fault)
    return str(raw)


def _text(raw: object) -> object:
    fault = text_fault(raw, 65_535)
    if fault is not None:
        raise ValueFault(fault)
    return raw


def _number(raw: object) -> object:
    if isinstance(raw, str):  # of a query parameter
        try:
            number = Decimal(raw) if len(raw) <= 100 and NUMERAL.fullmatch(raw.strip()) else Decimal("nan")
        except ArithmeticError:
            number = Decimal("nan")
        if not number.is_finite() or abs(number.adjusted()) > 308:
            raise ValueFault(say("expected a number such as 3 or 3.5, got {raw}", raw=shown(raw)))
        whole = number == number.to_integral_value() and abs(number) <= MAX_INTEGER
        raw = int(number) if whole else float(number)
    return SCALAR_TYPES[AttrType.NUMBER].parse(raw, ())


def _boolean(raw: object) -> bool:
    words = {"true": True, "false": False, "1": True, "0": False}
    found = words.get(raw.lower()) if isinstance(raw, str) else raw
    if not isinstance(found, bool):
        raise ValueFault(say("expected true or false, got {raw}", raw=shown(raw)))
    return found


def _scalar(attr_type: AttrType) -> Callable[[object], object]:
    return lambda raw: SCALAR_TYPES[attr_type].parse(raw, ())


_READERS: Final[dict[ValueKind, Callable[[object], Any]]] = {
    ValueKind.TEXT: _text,
    ValueKind.NUMBER: _number,
    ValueKind.BOOLEAN: _boolean,
    ValueKind.DATE: _scalar(AttrType.DATE),
    ValueKind.INSTANT: _scalar(AttrType.DATETIME),
}


class Compared(Func):
    """Whether a value fits: of an attribute by its id, where `of` are current values, or the text `of`."""

    output_field = BooleanField()

    def __init__(
        self,
        kind: ValueKind,
        operator: str,
        value: Any,  # Any: what `read_value` returned
        *,
        of: Combinable,
        attr_id: int = 0,
        is_array: bool = False,
    ) -> None:
        super().__init__(of)
        self.kind, self.operator, self.value = kind, operator, value
        self.attr_id, self.is_array = int(attr_id), is_array

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, *_args: Any, **_context: Any
    ) -> Sql:
        """Return the SQL."""
        column, _params = compiler.compile(self.get_source_expressions()[0])  # a column has none
        sql, values = self._sql(connection, column)
        return (f"(NOT ({sql}))" if self.operator == "empty" and not self.value else f"({sql})"), values

    def _sql(self, connection: BaseDatabaseWrapper, column: str) -> Sql:
        is_postgresql = connection.vendor == "postgresql"
        if not self.attr_id:
            return self._test(connection, column)
        if self.operator == "eq" and is_postgresql:
            held = [self.value] if self.is_array else self.value
            return f"{column} @> %s::jsonb", (json.dumps({str(self.attr_id): held}),)
        if not self.is_array:
            return self._test(connection, _plain(connection, column, self.attr_id))
        path = f"{column} -> '{self.attr_id}'"
        if self.operator == "empty":
            if is_postgresql:
                return f"COALESCE({path}, '[]'::jsonb) IN ('[]'::jsonb, 'null'::jsonb)", ()
            return f"COALESCE(JSON_ARRAY_LENGTH({column}, '$.\"{self.attr_id}\"'), 0) = 0", ()
        test, values = self._test(connection, "item.value")
        if is_postgresql:
            array = f"CASE jsonb_typeof({path}) WHEN 'array' THEN {path} ELSE '[]'::jsonb END"
            rows = f"jsonb_array_elements_text({array}) item(value)"
        else:
            rows = f"JSON_EACH({column}, '$.\"{self.attr_id}\"') item"
        return f"EXISTS (SELECT 1 FROM {rows} WHERE {test})", values  # noqa: S608 - names of ours

    def _test(self, connection: BaseDatabaseWrapper, text: str) -> Sql:
        is_postgresql = connection.vendor == "postgresql"
        if is_postgresql and not self.attr_id and self.operator in _PARTS:
            text = f"({text} || '')"  # as the index of parts of names has it
        match self.operator:
            case "empty":
                return f"{text} IS NULL OR {text} = ''", ()
            case "contains" | "startswith":
                return has_part(connection, text, self.value, at_start=self.operator == "startswith")
            case "regex":
                if is_postgresql:
                    return f"{text} ~ %s", (for_postgresql(self.value),)
                return f"{FUNCTION}(%s, {text})", (self.value,)
        sign = _SIGNS.get(self.operator, "=")
        value = self.value.removesuffix("Z") if self.kind is ValueKind.INSTANT else self.value
        if self.kind is ValueKind.NUMBER and is_postgresql:
            value = Decimal(str(value))
        if self.kind is ValueKind.BOOLEAN and is_postgresql:
            value = str(value).lower()
        return f"{_comparable(connection, self.kind, text)} {sign} %s", (value,)


def _plain(connection: BaseDatabaseWrapper, column: str, attr_id: int) -> str:
    if connection.vendor == "postgresql":
        return f"({column} ->> '{attr_id}')"
    return f"JSON_EXTRACT({column}, '$.\"{attr_id}\"')"


def _comparable(connection: BaseDatabaseWrapper, kind: ValueKind, text: str) -> str:
    """Return what orders as the values do: an instant has digits behind its seconds only where it needs."""
    is_postgresql = connection.vendor == "postgresql"
    if kind is ValueKind.INSTANT:
        text = f"rtrim({text}, 'Z')"
    if not is_postgresql:
        return text
    if kind is ValueKind.NUMBER:
        return f"({text})::numeric"
    return f'{text} COLLATE "C"' if kind in (ValueKind.DATE, ValueKind.INSTANT) else text


def has_part(connection: BaseDatabaseWrapper, text: str, part: str, *, at_start: bool = False) -> Sql:
    """Return the SQL that a text has a part, capitals and small letters being equal."""
    is_postgresql = connection.vendor == "postgresql"
    if not is_postgresql and not part.isascii():  # of other letters SQLite's LIKE knows no capitals
        start = r"\A" if at_start else ""
        return f"{FUNCTION}(%s, {text})", (f"(?is){start}{re2.escape(part)}",)
    escaped = re.sub(r"([\\%_])", r"\\\1", part)
    word = "ILIKE" if is_postgresql else "LIKE"
    return f"{text} {word} %s ESCAPE '\\'", (f"{escaped}%" if at_start else f"%{escaped}%",)


def moment(text: str) -> datetime:
    """Return the moment that `read_value` returned."""
    return datetime.fromisoformat(text)

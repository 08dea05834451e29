"""One test of one field, made into a filter of the database, with what an index of it finds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import BooleanField, Case, F, Q, When

from pagoda.domain.entity.models import EntityAttr
from pagoda.domain.search.conditions import Test
from pagoda.domain.search.values import (
    OPERATORS_OF,
    Compared,
    ValueKind,
    kind_of_values,
    moment,
    read_value,
)
from pagoda.domain.value_expressions import Operator, compared
from pagoda.domain.value_indexes import has_index
from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.scalar_types import MAX_INTEGER, ValueFault
from pagoda_plugin_sdk.rules.text import spellings
from pagoda_plugin_sdk.washing import shown, text_fault

OWN_FIELDS: Final = {
    "id": ValueKind.NUMBER,
    "name": ValueKind.TEXT,
    "note": ValueKind.TEXT,
    "created_time": ValueKind.INSTANT,
    "updated_time": ValueKind.INSTANT,
    "created_user": ValueKind.TEXT,
}


@dataclass(frozen=True, slots=True)
class Made:
    """A condition for the database."""

    q: Q
    cheap: Q | None = None  # a wider one that an index answers; None: everything
    slow: tuple[str, ...] = ()  # what has to be looked at row by row, and what would help


def with_operator(test: Test, operator: str, value: Any = ...) -> Test:  # Any: of the test
    given = test.value if value is ... else value
    return Test(key=test.key, field=test.field, operator=operator, value=given)


def negated(q: Q) -> Q:
    """Return that `q` does not hold: what is null in SQL does not, either."""
    if not q:
        return Q(pk__in=[])
    return ~Q(Case(When(q, then=True), default=False, output_field=BooleanField()))


def fitting(test: Test, attrs: Sequence[EntityAttr]) -> list[EntityAttr]:
    """Return the attributes with whose types the test goes.

    Raises:
        ValidationError: it goes with none, as is said of the first.
    """
    fitting, faults = [], []
    for attr in attrs:
        kind = kind_of_values(attr.attr_type)
        try:
            if kind is not None:
                read_operand(kind, test)
            fitting.append(attr)
        except ValidationError as fault:
            faults.append(fault)
    if not fitting:
        raise faults[0]
    return fitting


def read_operand(kind: ValueKind, test: Test) -> Any:  # Any: of the kind
    if test.operator not in OPERATORS_OF[kind]:
        fault = say(
            "a {value} has no {operator}; it has {operators_of}",
            value=kind.value,
            operator=test.operator,
            operators_of=", ".join(OPERATORS_OF[kind]),
        )
        raise wrong(test, ValueFault(fault))
    try:
        return read_value(kind, test.operator, test.value)
    except ValueFault as fault:
        raise wrong(test, fault) from fault


def wrong(test: Test, fault: ValueFault) -> ValidationError:
    return ValidationError({test.key: [f"`{test.field}`: {fault}."]}, code="invalid")


def no_field(field: str) -> str:
    known = [*OWN_FIELDS, "attr.<name>"]
    return say(
        "There is no field {field}.{hint} There are: {known}.",
        field=shown(field),
        hint=near_misses(field, OWN_FIELDS),
        known=", ".join(known),
    )


_COMPARED: Final[dict[str, Operator]] = {"gt": "gt", "gte": "gte", "lt": "lt", "lte": "lte", "eq": "exact"}


def value_fits(attr: EntityAttr, kind: ValueKind, operator: str, value: Any) -> Q:
    """Return the condition that a value of an attribute fits; Any: what `read_value` returned."""
    is_array = attr.attr_type.is_array
    by_all_values = operator == "eq" and connection.vendor == "postgresql"
    if operator in _COMPARED and not is_array and not by_all_values:
        return compared(attr.pk, attr.attr_type, _COMPARED[operator], value)
    of = F("current_values")
    return Q(Compared(kind, operator, value, of=of, attr_id=attr.pk, is_array=is_array))


def finds(attr: EntityAttr, operator: str) -> bool:
    """Return whether an index finds the values of an attribute by an operator."""
    if operator in ("eq", "in"):
        return connection.vendor == "postgresql"
    return operator in ("gt", "gte", "lt", "lte") and has_index(attr)


def index_hint(attr: EntityAttr) -> str:
    """Return what would help to find the values of an attribute."""
    name = f"{attr.parent_entity.name}.{attr.name}"
    if connection.vendor != "postgresql":
        return say("{name!r} has no index on SQLite; use PostgreSQL", name=name)
    if has_index(attr) or attr.attr_type.is_array:
        return say("parts of {name!r} have no index; use the full text of POST /api/v2/search/", name=name)
    if attr.is_indexed:
        return say(
            "{name!r} has no index yet; a job makes it within minutes, or `pagoda entries index` does",
            name=name,
        )
    return say("{name!r} has no index; set `is_indexed` of the attribute", name=name)


def composed(value: Any) -> Any:  # Any: what `read_operand` returned
    """Return a part of a name as names are stored, in NFC."""
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def is_id(raw: object) -> bool:
    return isinstance(raw, str) and raw.isascii() and raw.isdecimal() and len(raw) < 19


def own_field(test: Test, field: str) -> Made:
    kind = OWN_FIELDS[field]
    value = read_operand(kind, test)
    if kind is ValueKind.INSTANT and test.operator != "empty":
        value = [moment(each) for each in value] if test.operator == "in" else moment(value)
    if field == "id" and test.operator != "empty":
        return _by_id(test.operator, value)
    column = "created_user__username" if field == "created_user" else field
    is_found = field in ("id", "name", "updated_time", "created_user")
    match test.operator:
        case "empty":
            has_null = kind is not ValueKind.TEXT or field == "created_user"
            unset = Q(**{f"{column}__isnull": True} if has_null else {column: ""})
            return Made(unset if value else ~unset, slow=(_SLOW_OWN,))
        case "contains" | "startswith" | "regex":
            value = composed(value) if field == "name" else value
            q = Q(Compared(kind, test.operator, value, of=F(column)))
            is_found = (
                field == "name" and connection.vendor == "postgresql" and _is_indexed(test.operator, value)
            )
        case "eq" | "in" if field == "name":
            q = Q(**{f"{column}__in": spellings(value if test.operator == "in" else [value])})
        case "eq":
            q = Q(**{column: value})
            if field == "created_user" and is_id(test.value):
                q |= Q(created_user=int(test.value))
        case "in":
            q = Q(**{f"{column}__in": value})
        case _:
            q = Q(**{f"{column}__{test.operator}": value})
    return Made(q, q) if is_found else Made(q, slow=(_SLOW_OWN,))


_BEGINS: Final = {"startswith": re.compile(r"(?:^|[\W_])[^\W_]"), "contains": re.compile(r"[\W_][^\W_]")}
"""Where a word begins in a part of a name: PostgreSQL's trigrams have beginnings of words of any length."""


def _is_indexed(operator: str, part: str) -> bool:
    return len(part) > 2 or (operator in _BEGINS and bool(_BEGINS[operator].search(part)))


def _by_id(operator: str, value: Any) -> Made:  # Any: what `read_operand` returned
    """Return the condition on ids, whole ones of 64 bits: of others Django cuts a part, or databases fail."""
    if operator in ("eq", "in"):
        given = value if operator == "in" else [value]
        found = Q(id__in=[int(each) for each in given if abs(each) <= MAX_INTEGER and each == int(each)])
        return Made(found, found)
    most = max(-MAX_INTEGER, min(value, MAX_INTEGER))
    found = Q(**{f"id__{operator}": floor(most) if operator in ("gt", "lte") else ceil(most)})
    return Made(found, found)


_SLOW_OWN: Final = "a note, a time, a part of a short text and who made an entry have no index"
UNEQUAL: Final = "what is not equal, or not so, has no index"


def read_text(key: str, raw: object, most: int) -> str:
    """Return a text that a client gives.

    Raises:
        ValidationError: keyed by `key`; it is none.
    """
    fault = text_fault(raw, most)
    if fault is not None:
        raise ValidationError({key: [f"{fault}."]}, code="invalid")
    return str(raw)

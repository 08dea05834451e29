"""The types whose values are plain: how each is read from input and given to Python, in one table.

Limits: ``string`` 65,535 characters, ``text`` 1,048,576, line breaks are kept in both; integers fit 64 bits.
Instants carry an offset and are stored in UTC.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.washing import shown, text_fault

MAX_STRING_LENGTH: Final = 65_535
MAX_TEXT_LENGTH: Final = 1_048_576
MAX_INTEGER: Final = 2**63 - 1
_EXACT: Final = 2**53  # up to here a float holds every integer
_LARGEST: Final = int(sys.float_info.max)

type Scalar = str | int | float | bool  # as stored in JSON; a date or an instant is its ISO 8601 text


class ValueFault(ValueError):
    """What is wrong with one value; whoever knows the attribute adds its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarType:
    """How one element of a type is read and given out."""

    parse: Callable[
        [object, Sequence[str]], Scalar
    ]  # from input and the attribute's choices; raises ValueFault
    as_python: Callable[[Any], Any]  # Any: from what `parse` returned to the type's Python form


def whole(given: Any) -> Any:
    """Return a JSON number without a fraction as a whole one: ``5.0`` is 5; others as they are."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


def is_row_id(given: object) -> bool:
    """Return whether a JSON value may be the id of a row."""
    return isinstance(given, int) and not isinstance(given, bool) and 0 < given <= MAX_INTEGER


def whole_number(texts: Sequence[str], lowest: int, highest: int) -> int:
    """Return the whole number that is given as text: once, in digits from 0 to 9.

    Raises:
        ValueFault: it is none, or out of range.
    """
    given = ", ".join(texts)
    number = int(given) if given.isascii() and given.isdecimal() and len(given) < 20 else -1
    if lowest <= number <= highest:
        return number
    raise ValueFault(
        say(
            "{given!r} is not a whole number from {lowest} to {highest}.",
            given=given[:60],
            lowest=lowest,
            highest=highest,
        )
    )


def _text(max_length: int) -> Callable[[object, Sequence[str]], str]:
    def parse_text(raw: object, _choices: Sequence[str]) -> str:
        fault = text_fault(raw, max_length)
        if fault is not None:
            raise ValueFault(fault)
        return str(raw)

    return parse_text


def _boolean(raw: object, _choices: Sequence[str]) -> bool:
    if not isinstance(raw, bool):
        raise ValueFault(say("expected true or false, got {raw}", raw=shown(raw)))
    return raw


def _number(raw: object, _choices: Sequence[str]) -> int | float:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise ValueFault(say("expected a number such as 3 or 3.5, got {raw}", raw=shown(raw)))
    if isinstance(raw, int) and abs(raw) > MAX_INTEGER:
        raise ValueFault(
            say("the integer {raw} does not fit 64 bits; keep it in a string attribute", raw=shown(raw))
        )
    if not math.isfinite(raw):
        raise ValueFault(say("expected a finite number, got {raw}; set null instead", raw=shown(raw)))
    return kept_number(raw)


def kept_number(number: float) -> float:
    """Return a number as it is kept, whatever the database makes of it: PostgreSQL writes out ``1e+19``.

    A whole one that fits 64 bits is an integer; one beyond is the float of these digits, if there is one.
    """
    if -_EXACT <= number <= _EXACT:
        return number + 0  # -0.0 is 0.0
    if abs(number) <= MAX_INTEGER:
        return int(number)
    if not isinstance(number, int) or abs(number) > _LARGEST:
        return number
    found = float(number)
    return found if int(Decimal(repr(found))) == number else number


def _date(raw: object, _choices: Sequence[str]) -> str:
    if isinstance(raw, date) and not isinstance(raw, datetime):
        return raw.isoformat()
    try:
        return date.fromisoformat(raw if isinstance(raw, str) else "").isoformat()
    except ValueError as err:
        raise ValueFault(
            say("expected a date in ISO 8601 such as '2026-03-31', got {raw}", raw=shown(raw))
        ) from err


def _datetime(raw: object, _choices: Sequence[str]) -> str:
    example = "'2026-03-31T09:30:00+02:00'"
    try:
        instant = (
            raw if isinstance(raw, datetime) else datetime.fromisoformat(raw if isinstance(raw, str) else "")
        )
    except ValueError as err:
        raise ValueFault(
            say(
                "expected an instant in ISO 8601 such as {example}, got {raw}",
                example=example,
                raw=shown(raw),
            )
        ) from err
    if instant.utcoffset() is None:
        raise ValueFault(
            say(
                "the instant {raw} has no offset from UTC; add it, as in {example}",
                raw=shown(raw),
                example=example,
            )
        )
    try:
        return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError as err:
        raise ValueFault(
            say("the instant {raw} is outside the years 1 to 9999 in UTC", raw=shown(raw))
        ) from err


def _select(raw: object, choices: Sequence[str]) -> str:
    if isinstance(raw, str) and raw in choices:
        return raw
    misses = near_misses(raw, choices) if isinstance(raw, str) else ""
    listed = ", ".join(map(repr, choices))
    raise ValueFault(
        say(
            "{raw} is not one of its choices.{misses} The choices are {listed}.",
            raw=shown(raw),
            misses=misses,
            listed=listed,
        )
    )


def _unchanged(scalar: Scalar) -> Scalar:
    return scalar


SCALAR_TYPES: Final[dict[AttrType, ScalarType]] = {
    AttrType.STRING: ScalarType(parse=_text(MAX_STRING_LENGTH), as_python=_unchanged),
    AttrType.TEXT: ScalarType(parse=_text(MAX_TEXT_LENGTH), as_python=_unchanged),
    AttrType.BOOLEAN: ScalarType(parse=_boolean, as_python=_unchanged),
    AttrType.NUMBER: ScalarType(parse=_number, as_python=_unchanged),
    AttrType.SELECT: ScalarType(parse=_select, as_python=_unchanged),
    AttrType.DATE: ScalarType(parse=_date, as_python=date.fromisoformat),
    AttrType.DATETIME: ScalarType(parse=_datetime, as_python=datetime.fromisoformat),
}

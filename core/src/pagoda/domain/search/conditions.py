"""Conditions as clients send them: a tree of tests, read from query parameters or from JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError

from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.washing import shown, text_fault

OPERATORS: Final = (
    *("eq", "ne", "gt", "gte", "lt", "lte", "contains", "startswith", "regex", "in", "empty"),
)
MAX_TESTS: Final = 100
MAX_DEPTH: Final = 10  # of and, or and not inside each other
MAX_FIELD_LENGTH: Final = 1_000
MAX_VALUES: Final = 100  # of one `in`
MAX_TEXT_LENGTH: Final = 1_000
MAX_REGEX_LENGTH: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One field held against a value, not checked against any entity yet."""

    key: str  # what the client calls it: errors are keyed by it
    field: str  # ``name``, ``attr.ram``, ``attr.host.attr.os``
    operator: str
    value: Any  # Any: text, or what JSON has


@dataclass(frozen=True, slots=True)
class All:
    """Holds where each of them holds; of none everywhere."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds where one of them holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Holds where the other does not."""

    part: Condition


type Condition = Test | All | AnyOf | Not

EVERYWHERE: Final = All(())


def tests_in(condition: Condition) -> Iterator[Test]:
    """Yield the tests of a tree."""
    match condition:
        case Test():
            yield condition
        case Not(part):
            yield from tests_in(part)
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from tests_in(part)


def read_parameters(given: Iterable[tuple[str, str]]) -> All:
    """Return the condition of query parameters such as ``attr.ram__gte=4``: all of them hold.

    Raises:
        ValidationError: keyed by the parameter; its operator is unknown, or there are too many.
    """
    tests = tuple(_of_parameter(key, value) for key, value in given)
    if len(tests) > MAX_TESTS:
        raise ValidationError({tests[MAX_TESTS].key: [_too_many()]}, code="too_many")
    return All(tests)


def _of_parameter(key: str, value: str) -> Test:
    field, separator, operator = key.rpartition("__")
    if separator and operator not in OPERATORS and not field.startswith("attr."):
        raise ValidationError({key: [_no_operator(operator)]}, code="unknown")
    if not separator or operator not in OPERATORS:  # an attribute may have any name
        field, operator = key, "eq"
    given: Any = value  # Any: as JSON has it, where it can be told
    if operator == "in":
        given = _listed(key, value)
    elif operator == "empty":
        given = _TRUTHS.get(value, value)
    return Test(key=key, field=field, operator=operator, value=given)


_TRUTHS: Final = {"true": True, "false": False}


def _listed(key: str, values: str) -> list[str]:
    """Return the values of an `in`; one with commas or quotation marks is quoted, as in CSV."""
    if '"' not in values:
        return values.split(",")
    try:
        return next(csv.reader([values], strict=True))
    except csv.Error as error:
        fault = say(
            "{values} is no list: put a value that has a comma, or begins with a quotation mark, into "
            "quotation marks, and double those in it.",
            values=shown(values),
        )
        raise ValidationError({key: [fault]}, code="invalid") from error


def in_list(values: Iterable[object]) -> str:
    """Return what `in` reads as these values, in a query parameter."""
    listed = io.StringIO()
    csv.writer(listed, lineterminator="").writerow(values)
    return listed.getvalue()


def read_tree(given: object, place: str = "where", depth: int = 1) -> Condition:
    """Return the condition of JSON: ``{"and": [...]}``, ``{"or": [...]}``, ``{"not": {...}}`` and tests.

    A test is ``{"field": "attr.ram", "op": "gte", "value": 4}``; without ``op`` it is ``eq``.

    Raises:
        ValidationError: keyed by the place, such as ``where.and[1]``.
    """
    condition = _read(given, place, depth)
    if depth == 1 and sum(1 for _ in tests_in(condition)) > MAX_TESTS:
        raise ValidationError({place: [_too_many()]}, code="too_many")
    return condition


def _read(given: object, place: str, depth: int) -> Condition:
    if depth > MAX_DEPTH:
        raise ValidationError(
            {place: [say("It is more than {max_depth} levels deep; flatten it.", max_depth=MAX_DEPTH)]}
        )
    if not isinstance(given, Mapping):
        raise ValidationError(
            {place: [say("{given} is no condition. {forms}", given=shown(given), forms=_FORMS)]}
        )
    keys = set(given)
    if keys in ({"and"}, {"or"}):
        (word, parts), *_ = given.items()
        if not isinstance(parts, list):
            raise ValidationError(
                {f"{place}.{word}": [say("{parts} is no list of conditions.", parts=shown(parts))]}
            )
        if len(parts) > MAX_TESTS:
            raise ValidationError({f"{place}.{word}": [_too_many()]}, code="too_many")
        read = tuple(_read(part, f"{place}.{word}[{index}]", depth + 1) for index, part in enumerate(parts))
        return All(read) if word == "and" else AnyOf(read)
    if keys == {"not"}:
        return Not(_read(given["not"], f"{place}.not", depth + 1))
    return _test(given, place)


def _test(given: Mapping[str, Any], place: str) -> Test:
    field, operator = given.get("field"), given.get("op", "eq")
    if "field" not in given or set(given) - {"field", "op", "value"}:
        raise ValidationError(
            {place: [say("{given} is no condition. {forms}", given=shown(dict(given)), forms=_FORMS)]}
        )
    if not isinstance(field, str) or text_fault(field, MAX_FIELD_LENGTH):
        raise ValidationError({f"{place}.field": [say("{field} is no name of a field.", field=shown(field))]})
    if not isinstance(operator, str) or operator not in OPERATORS:
        raise ValidationError({f"{place}.op": [_no_operator(operator)]}, code="unknown")
    if "value" not in given and operator != "empty":
        raise ValidationError(
            {f"{place}.value": [say("`{operator}` needs a value; give one.", operator=operator)]}
        )
    value = given.get("value", True)
    if operator == "empty" and not isinstance(value, bool):
        raise ValidationError(
            {f"{place}.value": [say("Expected true or false, not {value}.", value=shown(value))]}, code="type"
        )
    return Test(key=place, field=field, operator=operator, value=value)


_FORMS: Final = (
    'Give {"and": [...]}, {"or": [...]}, {"not": {...}} or {"field": "attr.ram", "op": "gte", "value": 4}.'
)


def _no_operator(operator: object) -> str:
    misses = near_misses(operator, OPERATORS) if isinstance(operator, str) else ""
    return say(
        "There is no operator {operator}.{misses} There are: {operators}.",
        operator=shown(operator),
        misses=misses,
        operators=", ".join(OPERATORS),
    )


def _too_many() -> str:
    return say(
        "More than {max_tests} conditions are too many at once; use `in` for values of one field.",
        max_tests=MAX_TESTS,
    )

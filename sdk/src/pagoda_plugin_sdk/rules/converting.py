"""A value of one type as a value of another: what says the same in it, or a fault where nothing does.

Nothing is lost, but how a text was written: a number reads ``1.50`` as 1.5. ``WAYS`` has the pairs of types
that lead to each other; arrays follow their elements. A blank text is no value where the new type is no text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from django.core.exceptions import ValidationError

from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.scalar_types import SCALAR_TYPES, Scalar, ValueFault
from pagoda_plugin_sdk.rules.state import NOTHING, Definition, Element, Link, Value
from pagoda_plugin_sdk.washing import shown

type FindTarget = Callable[[Definition, str], Link]
"""What a name means to a reference: raises `ValueFault` where it is nothing, or several things."""

type _Way = Callable[[Any, Definition, FindTarget], Element | None]  # Any: an element; None: no value

NUMERAL: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_MOST_DIGITS: Final = 30  # more than a number of 64 bits has
_MIDNIGHT: Final = "T00:00:00Z"
_BOOLEANS: Final = {"true": True, "false": False}


def convert(value: Value, before: AttrType, after: Definition, find: FindTarget) -> Value:
    """Return a `value` of the type `before` as one of the attribute `after`.

    Raises:
        ValueFault: there is none that says the same; the message says why, without naming the attribute.
    """
    if not value.elements:
        return NOTHING
    if len(value.elements) > 1 and not after.type.is_array:
        raise ValueFault(
            say(
                "has {count:,} elements, and {type} holds one",
                count=len(value.elements),
                type=after.type.type_name,
            )
        )
    way = WAYS.get((before.element, after.type.element))
    if way is None:
        raise ValueFault(no_way(before, after.type))
    elements = [way(element, after, find) for element in value.elements]
    return Value(tuple(element for element in elements if element is not None))


def no_way(before: AttrType, after: AttrType) -> str:
    """Return that no value of a type becomes one of another."""
    return say(
        "no {element} becomes {other}", element=before.element.type_name, other=after.element.type_name
    )


def conversion_fault(entry: tuple[str, int], value: object, after: AttrType, reason: str) -> str:
    """Return that the value of an entry, named with its id, can't be one of the new type; and why."""
    says = say(
        "Entry {entry!r} (id {id}) has {value}, which can't become {after}",
        entry=entry[0],
        id=entry[1],
        value=shown(value),
        after=after.type_name,
    )
    return f"{says}: {reason}."


def follow_type(name: str, before: AttrType, fields: dict[str, Any]) -> None:
    """Have the fields of an attribute that its new ``type`` has no use for become what they are without it.

    Any: values of its fields, by field.

    Raises:
        ValidationError: no value of the former type becomes one of the new.
    """
    after: AttrType = fields["type"]
    if (before.element, after.element) not in WAYS:
        message = say(
            "The type of {name!r} is {before}, and {reason}",
            name=name,
            before=before.type_name,
            reason=no_way(before, after),
        )
        raise ValidationError(
            say("{message}; remove it and add another attribute.", message=message), code="type_fixed"
        )
    if not after & AttrType.OBJECT:
        fields.setdefault("on_delete", "null")
        fields.setdefault("is_delete_in_chain", False)
    if not after & AttrType.SELECT:
        fields.setdefault("choices", [])


def followed_default(before: AttrType, after: AttrType, raw: Any, choices: Sequence[str]) -> Any:
    """Return the stored default value of an attribute in its new type, both JSON.

    Raises:
        ValidationError: it can't be converted.
    """
    try:
        return _default(before, after, raw, choices)
    except ValueFault as fault:
        message = say(
            "'default_value' {raw} can't become {after}: {fault}; send another, or null.",
            raw=shown(raw),
            after=after.type_name,
            fault=fault,
        )
        raise ValidationError(message, code="default") from fault


def _default(before: AttrType, after: AttrType, raw: Any, choices: Sequence[str]) -> Any:
    if raw is None or after.is_reference:
        return None
    elements: list[Any] = raw if isinstance(raw, list) else [raw]
    definition = _definition(after, choices)
    found = convert(Value(tuple(elements)), before, definition, _no_target).elements
    return (list(found) or None) if after.is_array else (found[0] if found else None)


def _definition(attr_type: AttrType, choices: Sequence[str]) -> Definition:
    return Definition(
        id=0, entity_id=0, name="", type=attr_type, is_mandatory=False, index=0, default_value=None,
        choices=tuple(choices), level=0, is_open=False,
    )  # fmt: skip


def _no_target(_definition: Definition, name: str) -> Link:
    raise ValueFault(say("{name} names nothing", name=shown(name)))


def _text_of(scalar: Scalar) -> str:
    if isinstance(scalar, bool):
        return "true" if scalar else "false"
    return scalar if isinstance(scalar, str) else repr(scalar)


def _parsed(scalar: object, after: Definition, _find: FindTarget) -> Element:
    return SCALAR_TYPES[after.type.element].parse(scalar, after.choices)


def _to_text(scalar: Scalar, after: Definition, find: FindTarget) -> Element:
    return _parsed(_text_of(scalar), after, find)


def _from_text(parse: Callable[[str], object]) -> _Way:
    def read(text: str, after: Definition, find: FindTarget) -> Element | None:
        return _parsed(parse(text.strip()), after, find) if text.strip() else None

    return read


def _number_of(text: str) -> object:
    if not NUMERAL.fullmatch(text):
        return text  # refused as any other text
    if text.lstrip("+-").isdigit():
        if len(text) > _MOST_DIGITS:
            raise ValueFault(say("the integer {text} does not fit 64 bits", text=shown(text)))
        return int(text)
    found = float(text)
    if abs(found) != float("inf") and Decimal(repr(found)) != Decimal(text):
        raise ValueFault(say("{text} has more digits than a number keeps", text=shown(text)))
    return found


def _number_as_boolean(number: float, _after: Definition, _find: FindTarget) -> Element:
    if number not in (0, 1):
        raise ValueFault(say("expected 0 or 1, got {number}", number=shown(number)))
    return bool(number)


def _instant_as_date(instant: str, after: Definition, find: FindTarget) -> Element:
    if not instant.endswith(_MIDNIGHT):
        raise ValueFault(
            say("{instant} is no midnight in UTC, and a date has no time of day", instant=shown(instant))
        )
    return _parsed(instant.removesuffix(_MIDNIGHT), after, find)


def _without_name(link: Link, _after: Definition, _find: FindTarget) -> Element:
    if link.name:
        raise ValueFault(
            say("it is named {link}, and an object has no name of its own", link=shown(link.name))
        )
    return link


def _name_of(link: Link, after: Definition, find: FindTarget) -> Element:
    target = link.target
    if target is None or not target.is_active:
        raise ValueFault(say("what it points to is deleted"))
    if not target.is_visible:
        raise ValueFault(say("you may not see what it points to"))
    return _parsed(target.name, after, find)


def _target_of(text: str, after: Definition, find: FindTarget) -> Element | None:
    return find(after, text) if text.strip() else None


_TEXTS: Final = (AttrType.STRING, AttrType.TEXT)
_NAMED: Final = AttrType.OBJECT | AttrType.NAMED


def _ways() -> Iterator[tuple[AttrType, AttrType, _Way]]:
    for scalar in SCALAR_TYPES:
        yield scalar, scalar, _parsed
        for text in _TEXTS:
            yield scalar, text, _to_text
        if scalar is not AttrType.SELECT:
            yield scalar, AttrType.SELECT, _from_text(lambda text: text) if scalar in _TEXTS else _to_text
    for text in (*_TEXTS, AttrType.SELECT):
        yield text, AttrType.NUMBER, _from_text(_number_of)
        yield text, AttrType.BOOLEAN, _from_text(lambda text: _BOOLEANS.get(text.lower(), text))
        for time in (AttrType.DATE, AttrType.DATETIME):
            yield text, time, _from_text(lambda text: text)
    yield AttrType.BOOLEAN, AttrType.NUMBER, lambda flag, _after, _find: int(flag)
    yield AttrType.NUMBER, AttrType.BOOLEAN, _number_as_boolean
    yield AttrType.DATE, AttrType.DATETIME, lambda day, after, find: _parsed(day + _MIDNIGHT, after, find)
    yield AttrType.DATETIME, AttrType.DATE, _instant_as_date
    yield AttrType.OBJECT, _NAMED, lambda link, _after, _find: replace(link, name="")
    yield _NAMED, AttrType.OBJECT, _without_name
    yield _NAMED, _NAMED, lambda link, _after, _find: link
    for reference in (AttrType.OBJECT, AttrType.GROUP, AttrType.ROLE):
        yield reference, reference, lambda link, _after, _find: link
        for text in _TEXTS:
            yield reference, text, _name_of
            yield text, reference, _target_of


WAYS: Final[dict[tuple[AttrType, AttrType], _Way]] = {(one, other): way for one, other, way in _ways()}
"""How an element becomes one of another type, by both."""

"""Values of every type: read from input, kept as JSON or links, shown to programs and people.

The plain types are in `pagoda_plugin_sdk.rules.scalar_types`; this adds the references.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pagoda_plugin_sdk.operations import PermissionLevel
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.limits import limits
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.scalar_types import (
    MAX_INTEGER,
    SCALAR_TYPES,
    Scalar,
    ScalarType,
    ValueFault,
    kept_number,
)
from pagoda_plugin_sdk.rules.state import NOTHING, Definition, Element, EntryState, Link, LinkTarget, Value
from pagoda_plugin_sdk.rules.text import MAX_NAME_LENGTH
from pagoda_plugin_sdk.washing import shown, text_fault

_NOWHERE: Final = Link()

type Shown = Any  # Any: a JSON value, or a date or datetime in Python form


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueType:
    """How one element of a type is read and shown."""

    parse: Callable[[Definition, object], Element]  # from input; raises ValueFault
    as_python: Callable[[Any], Shown]  # Any: the element that `parse` returned
    as_json: Callable[[Any], Shown]


def parse(definition: Definition, raw: object, stored: Value = NOTHING) -> Value:
    """Return `raw` as a value of the attribute; None and ``[]`` are the value that is not set.

    Text that is in the `stored` value stays valid, whatever became of the attribute's rules since.

    Raises:
        ValueFault: it is none; the message says what was expected, without naming the attribute.
    """
    parse_one = VALUE_TYPES[definition.type.element].parse
    if raw is not None and stored is NOTHING and not definition.type.is_array:  # most of an import
        only = parse_one(definition, raw)
        return NOTHING if only == _NOWHERE else Value((only,))

    def parse_element(element: object) -> Element:
        try:
            return parse_one(definition, element)
        except ValueFault:
            if isinstance(element, str) and element in stored.elements:
                return element
            raise

    elements = _elements(definition.type, raw, parse_element, stored=len(stored.elements))
    return Value(tuple(element for element in elements if element != _NOWHERE))


def parse_scalar(attr_type: AttrType, raw: object, choices: Sequence[str]) -> tuple[Scalar, ...]:
    """Return the elements of `raw`, a value of a scalar type or of an array of one; none for None.

    Raises:
        ValueFault: it is no such value.
    """
    parse_one = SCALAR_TYPES[attr_type.element].parse
    return _elements(attr_type, raw, lambda element: parse_one(element, choices))


def _elements[T](
    attr_type: AttrType, raw: object, parse: Callable[[object], T], *, stored: int = 0
) -> tuple[T, ...]:
    """Return what `parse` makes of `raw`, or of each of its elements if the type is an array.

    An array holds as many as the setting DOMAIN_MAX_ARRAY_ITEMS, or as are `stored` of it already.

    Raises:
        ValueFault: `parse` raised it, or the shape is wrong; an element is named by its position.
    """
    if raw is None:
        return ()
    if not attr_type.is_array:
        return (parse(raw),)
    if not isinstance(raw, list | tuple):
        raise ValueFault(say("expected a list, got {raw}; put the value in brackets", raw=shown(raw)))
    most = limits().domain_max_array_items
    if len(raw) > max(most, stored):
        raise ValueFault(
            say(
                "has {count:,} elements, at most {most:,} are allowed; split it up, or ask the "
                "operator to raise DOMAIN_MAX_ARRAY_ITEMS",
                count=len(raw),
                most=most,
            )
        )
    return tuple(_parse_element(index, element, parse) for index, element in enumerate(raw))


def _parse_element[T](index: int, element: object, parse: Callable[[object], T]) -> T:
    if element is None:
        raise ValueFault(say("element {index} is null; leave it out", index=index))
    try:
        return parse(element)
    except ValueFault as fault:
        raise ValueFault(say("element {index}: {fault}", index=index, fault=fault)) from fault


def as_python(definition: Definition, value: Value, *, is_limited: bool = False) -> Shown:
    """Return `value` as Python objects, as ``Entry.get_attrs()`` gives them; `is_limited` as in `as_json`."""
    return _show(definition, value, VALUE_TYPES[definition.type.element].as_python, is_limited=is_limited)


def as_json(definition: Definition, value: Value, *, is_limited: bool) -> Shown:
    """Return `value` as JSON; if `is_limited`, without the targets that the viewer may not read."""
    return _show(definition, value, VALUE_TYPES[definition.type.element].as_json, is_limited=is_limited)


def attrs_of(state: EntryState) -> dict[str, Any]:  # Any: a value of the attribute's type
    """Return ``{attribute name: value}`` with Python values, as far as the state's viewer may read them."""
    is_limited = state.viewer is not None
    return {
        each.name: as_python(each, state.values.get(each.id, NOTHING), is_limited=is_limited)
        for each in state.definitions
        if not is_limited or each.level >= PermissionLevel.READABLE
    }


def items_of(state: EntryState) -> list[dict[str, Any]]:  # Any: a JSON value
    """Return ``[{"id", "name", "value"}]`` with JSON values, of every attribute: what validators see."""
    return [
        {
            "id": each.id,
            "name": each.name,
            "value": as_json(each, state.values.get(each.id, NOTHING), is_limited=False),
        }
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
            "value": as_json(each, state.values.get(each.id, NOTHING), is_limited=True),
            "is_mandatory": each.is_mandatory,
            "is_readable": True,
        }
        for each in state.definitions
        if each.level >= PermissionLevel.READABLE
    ]


def from_storage(attr_type: AttrType, stored: Any) -> Value:  # Any: the JSON of a row
    """Return the scalar value that a row holds as `stored`."""
    if stored is None:
        return Value()
    elements = stored if attr_type.is_array else (stored,)
    return Value(tuple(map(kept_number, elements) if attr_type.element == AttrType.NUMBER else elements))


def _show(definition: Definition, value: Value, show: Callable[[Any], Shown], *, is_limited: bool) -> Shown:
    elements: Sequence[Element] = value.elements
    if definition.type.is_reference:
        seen = (_for_reader(element, is_limited=is_limited) for element in elements)
        elements = [element for element in seen if element != _NOWHERE]
    if definition.type.is_array:
        return [show(element) for element in elements]
    return show(elements[0]) if elements else None


def _for_reader(element: Element, *, is_limited: bool) -> Element:
    """Return a link whose target is gone, or hidden from the reader, without it; anything else as it is."""
    if not isinstance(element, Link):
        return element
    target = element.target
    if target is None or not target.is_active or (is_limited and not target.is_visible):
        return Link(name=element.name)
    return element


def is_a(thing: object, noun: str) -> bool:
    """Return whether `thing` is a model's object, of the model that is called `noun`."""
    meta = getattr(getattr(thing, "__class__", None), "_meta", None)
    return getattr(meta, "verbose_name", None) == noun


def _link(noun: str) -> Callable[[Definition, object], Link]:
    def parse_link(_definition: Definition, raw: object) -> Link:
        given: Any = raw.get("id") if isinstance(raw, dict) else raw
        if is_a(raw, noun):
            given = raw.pk  # type: ignore[attr-defined]  # as every model's object
        if isinstance(given, bool) or not isinstance(given, int):
            raise ValueFault(
                say("expected the {noun}, its id or {{'id': ...}}, got {raw}", noun=noun, raw=shown(raw))
            )
        if not 0 < given <= MAX_INTEGER:
            raise ValueFault(
                say(
                    "there is no {noun} with the id {given}; send an existing one",
                    noun=noun,
                    given=shown(given),
                )
            )
        return Link(target_id=given)

    return parse_link


_entry_link = _link("entry")


def _named_link(definition: Definition, raw: object) -> Link:
    expected = "{'name': ..., 'object': ...}"
    if not isinstance(raw, dict) or not raw or raw.keys() - {"name", "object"}:
        raise ValueFault(say("expected {expected}, got {raw}", expected=expected, raw=shown(raw)))
    name = raw.get("name", "")
    fault = text_fault(name, MAX_NAME_LENGTH)
    if fault is not None:
        raise ValueFault(say("the 'name' in {expected}: {fault}", expected=expected, fault=fault))
    target = raw.get("object")
    target_id = None if target is None else _entry_link(definition, target).target_id
    return Link(name=str(name), target_id=target_id)


def _show_target(target: LinkTarget | None) -> Shown:
    if target is None:
        return None
    plain: dict[str, Any] = {"id": target.id, "name": target.name}  # Any: "schema" is a mapping
    if target.schema_id is not None:
        plain["schema"] = {"id": target.schema_id, "name": target.schema_name}
    return plain


def _show_link(link: Link) -> Shown:
    return _show_target(link.target)


def _show_named_link(link: Link) -> Shown:
    return {"name": link.name, "object": _show_target(link.target)}


def _show_scalar(scalar: Scalar) -> Shown:
    return scalar


def _scalar(scalar_type: ScalarType) -> ValueType:
    return ValueType(
        parse=lambda definition, raw: scalar_type.parse(raw, definition.choices),
        as_python=scalar_type.as_python,
        as_json=_show_scalar,
    )


def _reference(noun: str) -> ValueType:
    return ValueType(parse=_link(noun), as_python=_show_link, as_json=_show_link)


VALUE_TYPES: Final[dict[AttrType, ValueType]] = {
    **{attr_type: _scalar(scalar_type) for attr_type, scalar_type in SCALAR_TYPES.items()},
    AttrType.OBJECT: _reference("entry"),
    AttrType.OBJECT | AttrType.NAMED: ValueType(
        parse=_named_link, as_python=_show_named_link, as_json=_show_named_link
    ),
    AttrType.GROUP: _reference("group"),
    AttrType.ROLE: _reference("role"),
}

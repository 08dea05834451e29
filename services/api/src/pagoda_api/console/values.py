"""Values in forms: each attribute type has its inputs, and what people type becomes what the API takes.

What is typed wrongly is passed on as it is: the API's own words then say what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, NamedTuple

from django.http import QueryDict

MORE_ROWS = 3
MAX_ROWS = 1_000

_LISTS = {
    "object": "entry-list",
    "named_object": "entry-list",
    "group": "group-list",
    "role": "role-list",
    "user": "user-list",
    "entity": "entity-list",
}
"""Where the API lists what a reference may point to, by the type of the reference."""

GRANTED_ON = ("entity", "attr", "entry")

_LABEL = re.compile(r"(?P<name>.*?)\s*#(?P<id>\d{1,18})", re.DOTALL)


class FieldRow(NamedTuple):
    """The inputs of one element: its own, and the name that a named reference carries."""

    text: str = ""
    name: str = ""


def own_field(name: str, type_name: str, text: Any, **more: Any) -> dict[str, Any]:
    """Return a field of a thing as an attribute is shown, for `AttrField`. Any: lazy texts, JSON."""
    return {"id": name, "type": type_name, "name": text, "hides_type": True, "default_value": None, **more}


@dataclass(slots=True)
class AttrField:
    """One attribute in a form."""

    attr: Mapping[str, Any]  # Any: JSON values, as an entity's attributes are shown
    rows: list[FieldRow]
    faults: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)  # what is to be said of rows that name nothing
    stored: list[FieldRow] | None = None  # where somebody else has stored something else meanwhile

    def tell(self, faults: list[str]) -> None:
        """Take the faults that the API has found, in better words where it knows some."""
        self.faults = self.unknown or faults

    @property
    def key(self) -> str:
        """Return the name of its inputs."""
        return f"attr-{self.attr['id']}"

    @property
    def is_array(self) -> bool:
        """Return whether it has any number of rows."""
        return str(self.attr["type"]).startswith("array_")

    @property
    def element(self) -> str:
        """Return the type of a row."""
        return str(self.attr["type"]).removeprefix("array_")

    @property
    def is_reference(self) -> bool:
        """Return whether its rows name other things."""
        return self.element in _LISTS

    @property
    def inputs(self) -> list[FieldRow]:
        """Return the rows that a form shows: of an array one more, to be filled."""
        return [*self.rows, FieldRow()] if self.is_array else self.rows or [FieldRow()]

    def add_rows(self) -> None:
        """Have it show more rows to be filled."""
        self.rows += [FieldRow()] * MORE_ROWS


def fields_of(attrs: Iterable[Mapping[str, Any]], values: Mapping[str, Any]) -> list[AttrField]:
    """Return a field for each attribute that is stored, with the values by the attribute's name."""
    return [
        AttrField(attr, _rows(attr["type"], values.get(attr["name"], attr.get("default_value"))))
        for attr in attrs
        if attr["id"] is not None  # computed by a plugin
    ]


def sent_fields(attrs: Iterable[Mapping[str, Any]], sent: QueryDict) -> list[AttrField]:
    """Return the fields as a form sent them."""
    found = []
    for each in fields_of(attrs, {}):
        texts = [text.replace("\r\n", "\n") for text in sent.getlist(each.key)[:MAX_ROWS]]
        names = sent.getlist(f"{each.key}-name")[:MAX_ROWS]
        names += [""] * (len(texts) - len(names))
        rows = [FieldRow(*pair) for pair in zip(texts, names, strict=False)]
        found.append(
            AttrField(each.attr, [row for row in rows if row.text or (row.name and each.element != "grant")])
        )
    return found


def raw_value(sent: AttrField, find: Callable[[AttrField, str], object]) -> Any:
    """Return what the API takes for the rows of a field; Any: a JSON value.

    `find` returns the id of what a row of a reference names, or what is to be said of it as it is.
    """
    elements = [_element(sent, row, find) for row in sent.rows]
    return elements if sent.is_array else elements[0] if elements else None


def same(left: AttrField, right: AttrField) -> bool:
    """Return whether two states of a field show the same."""
    return [_unbroken(row) for row in left.rows] == [_unbroken(row) for row in right.rows]


def label(target: Mapping[str, Any] | None) -> str:
    """Return how an input shows what a reference points to."""
    return "" if target is None else f"{name_of(target)} #{target['id']}"


def name_of(target: Mapping[str, Any]) -> str:
    """Return what the API calls something that a reference points to."""
    return str(target.get("name", target.get("username")))


def parts(text: str) -> tuple[str, int | None]:
    """Return name and id of what `label` made; of anything else itself and None."""
    match = _LABEL.fullmatch(text)
    return (text, None) if match is None else (match["name"], int(match["id"]))


def list_of(element: str) -> str:
    """Return the name of the API's list of what a reference of this type may point to."""
    return _LISTS[element]


def _unbroken(row: FieldRow) -> FieldRow:
    return FieldRow(row.text.replace("\r\n", "\n"), row.name)


def _rows(type_name: str, value: Any) -> list[FieldRow]:
    element = type_name.removeprefix("array_")
    if value is None:
        return []
    elements: Sequence[Any] = value if type_name.startswith("array_") else [value]
    return [_row(element, each) for each in elements]


def _row(element: str, value: Any) -> FieldRow:
    match element:
        case "named_object":
            return FieldRow(label(value["object"]), value["name"])
        case "grant":
            kind = next(each for each in GRANTED_ON if value[each])
            return FieldRow(f"{kind} {label(value[kind])}", value["level"])
        case _ if element in _LISTS:
            return FieldRow(label(value))
        case "boolean":
            return FieldRow("true" if value else "false")
        case _:
            return FieldRow(str(value))


def _element(sent: AttrField, row: FieldRow, find: Callable[[AttrField, str], object]) -> object:
    match sent.element:
        case "named_object":
            return {"name": row.name, "object": find(sent, row.text) if row.text else None}
        case "grant":
            return _grant(row)
        case element if element in _LISTS:
            return find(sent, row.text)
        case "boolean":
            return {"true": True, "false": False}.get(row.text, row.text)
        case "number":
            return as_number(row.text)
        case _:
            return row.text


def _grant(row: FieldRow) -> object:
    kind, _, rest = row.text.strip().partition(" ")
    name, number = parts(rest)
    if kind not in GRANTED_ON:
        return row.text
    return {kind: name if number is None else number, "level": row.name}


def as_number(text: str) -> object:
    """Return the number that a text is; of anything else itself, such as what JSON has no number for."""
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        return number if isinstance(number, int) or isfinite(number) else text
    return text

"""Forms made from the JSON schema of a task's params; what is sent becomes the params again.

What is typed wrongly is passed on as it is: the task's own model then says what it expects.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext

from pagoda_api.console.values import AttrField, FieldRow, as_number
from pagoda_plugin_sdk.params import ENTRY_KEYWORD
from pagoda_plugin_sdk.washing import without_doubles

MAX_FIELDS = 200
MAX_ROWS = 1_000
LONG_TEXT = 500
"""Characters from which on a text has an area instead of a line."""

type Schema = Mapping[str, Any]
"""A JSON schema, or a part of one."""

_ENTITY_KEYWORD = "x-pagoda-entity-id"
"""Marks a number as the id of an entity, as `ENTRY_KEYWORD` does of an entry."""

_BOUNDS = {"minimum": "min", "maximum": "max", "minLength": "minlength", "maxLength": "maxlength"}
_BY_FORMAT = {"date": "date", "date-time": "datetime"}


@dataclass(slots=True)
class ParamField:
    """One param in a form."""

    name: str
    schema: Schema  # of one element
    is_array: bool
    is_needed: bool
    may_be_null: bool
    title: str
    description: str
    default: Any  # a JSON value, None where there is none
    rows: list[str]
    faults: list[str] = field(default_factory=list)
    group: str = "param"  # keeps what has the same name apart

    @property
    def key(self) -> str:
        """Return the name of its inputs."""
        return f"{self.group}-{self.name}"

    @property
    def kind(self) -> str:
        """Return which inputs it has, as `_kind` tells them."""
        return _kind(self.schema)

    @property
    def entity(self) -> str:
        """Return the name of the entity whose entries are suggested, "" for any."""
        return str(self.schema.get(ENTRY_KEYWORD, ""))

    @property
    def inputs(self) -> list[str]:
        """Return the rows that a form shows: of an array one more, to be filled."""
        return [*self.rows, ""] if self.is_array else self.rows or [""]

    @property
    def choices(self) -> list[str]:
        """Return what may be chosen."""
        return [_text(each) for each in self.schema.get("enum", ())]

    @property
    def bounds(self) -> list[tuple[str, Any]]:
        """Return the attributes of an input that bound what is typed."""
        return [(mark, self.schema[key]) for key, mark in _BOUNDS.items() if key in self.schema]


def fields_of(schema: Schema, values: Mapping[str, Any] | None = None) -> list[ParamField]:
    """Return a field for each param; `values` are those that the form begins with, else the defaults."""
    needed = schema.get("required", ())
    found = []
    for name, told in list(schema.get("properties", {}).items())[:MAX_FIELDS]:
        plain = _plain(schema, told)
        element = _plain(schema, plain.get("items", {})) if plain.get("type") == "array" else {}
        is_array = bool(element) and _kind(element) != "json"
        default = told.get("default")
        held = (values or {}).get(name, default)
        found.append(
            ParamField(
                name=name,
                schema=element if is_array else plain,
                is_array=is_array,
                is_needed=name in needed,
                may_be_null=any(each.get("type") == "null" for each in told.get("anyOf", ())),
                title=str(told.get("title") or plain.get("title") or name),
                description=str(told.get("description") or ""),
                default=default,
                rows=[_text(each) for each in held or ()] if is_array else _row(held),
            )
        )
    return found


def target_field(kind: str, text: str, entity: str = "") -> ParamField:
    """Return the field, with `text` in it, of what a job works on: `kind` is ``entry`` or ``entity``.

    It begins with the only `entity` that it may be; of one that entries are to be of, those are suggested.
    """
    if kind == "entity":
        text = text or entity
    return ParamField(
        name=kind,
        schema={"type": "integer", ENTRY_KEYWORD if kind == "entry" else _ENTITY_KEYWORD: entity},
        is_array=False,
        is_needed=True,
        may_be_null=False,
        title=gettext("Entry") if kind == "entry" else gettext("Entity"),
        description=gettext("What the task works on."),
        default=None,
        rows=[text] if text else [],
        group="target",
    )


def read(
    fields: list[ParamField], sent: QueryDict, find: Callable[[ParamField, str], object]
) -> dict[str, Any]:
    """Return the params that a form sent, and leave what it sent, and faults, in `fields`.

    `find` returns the id of the entry that a row names, or what is typed.
    """
    params: dict[str, Any] = {}
    for each in fields:
        texts = [text.replace("\r\n", "\n") for text in sent.getlist(each.key)[:MAX_ROWS]]
        each.rows = [text for text in texts if text]
        if not each.rows:
            if each.key in sent and each.default not in (None, "", []):
                params |= _emptied(each)
            continue
        elements = [_value(each, text, find) for text in each.rows]
        params[each.name] = elements if each.is_array else elements[0]
    return params


def _emptied(each: ParamField) -> dict[str, Any]:
    """Return what stands for a default that somebody took away; nothing where the model has no such value."""
    if each.is_array:
        return {each.name: []}
    if each.may_be_null:
        return {each.name: None}
    return {each.name: ""} if each.kind in ("string", "text") else {}


def tell(fields: list[ParamField], faults: Mapping[str, list[str]]) -> Iterator[str]:
    """Put the faults that the API tells beside their fields, and yield those that belong to none."""
    for key, messages in faults.items():
        name = key.removeprefix("params.")
        near = [each for each in fields if f"{name}.".startswith(f"{each.name}.")]
        if not key.startswith("params.") or not near:
            yield f"{key}: {' '.join(messages)}"
            continue
        inner = name.removeprefix(near[-1].name).strip(".")
        near[-1].faults += [f"{inner}: {message}" if inner else message for message in messages]


def as_reference(each: ParamField) -> AttrField:
    """Return the field as those of entries' forms are, to be found and suggested alike."""
    referral = [{"id": each.entity}] if each.entity else []  # the API takes a name for an id
    kind = "entity" if each.kind == "entity" else "object"
    return AttrField({"id": 0, "type": kind, "name": each.name, "referral": referral}, [FieldRow()])


def _plain(root: Schema, told: Schema) -> Schema:
    """Return a part of a schema without references, and without the null that it may be instead."""
    for _ in range(10):  # of references to references
        if "$ref" in told:
            name = str(told["$ref"]).rpartition("/")[2]
            told = {**root.get("$defs", {}).get(name, {}), **{k: v for k, v in told.items() if k != "$ref"}}
            continue
        others = [each for each in told.get("anyOf", ()) if each.get("type") != "null"]
        if len(others) == 1:
            told = {**others[0], **{key: each for key, each in told.items() if key != "anyOf"}}
            continue
        break
    return told


def _kind(schema: Schema) -> str:
    """Return entry, entity, enum, boolean, integer, number, date, datetime, text, string or json."""
    match schema.get("type"):
        case _ if schema.get("enum"):
            return "enum"
        case "integer" if ENTRY_KEYWORD in schema:
            return "entry"
        case "integer" if _ENTITY_KEYWORD in schema:
            return "entity"
        case "boolean" | "integer" | "number" as kind:
            return str(kind)
        case "string" if schema.get("format") in _BY_FORMAT:
            return _BY_FORMAT[schema["format"]]
        case "string":
            return "text" if schema.get("maxLength", 0) >= LONG_TEXT else "string"
        case _:
            return "json"


def _value(each: ParamField, text: str, find: Callable[[ParamField, str], object]) -> object:
    match each.kind:
        case "entry" | "entity":
            found = find(each, text)
            if not isinstance(found, int):
                each.faults.append(
                    gettext("Nothing, or more than one, is called so: take one that is suggested.")
                )
            return found
        case "enum":
            return next((known for known in each.schema["enum"] if _text(known) == text), text)
        case "boolean":
            return {"true": True, "false": False}.get(text, text)
        case "integer" | "number":
            return as_number(text)
        case "json":
            try:
                return json.loads(text, object_pairs_hook=without_doubles)
            except (ValueError, RecursionError) as error:
                each.faults.append(gettext("It is no JSON: %s") % error)
                return text
        case _:
            return text


def _row(value: Any) -> list[str]:
    return [] if value is None else [_text(value)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

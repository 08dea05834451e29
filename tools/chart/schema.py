"""Make values.schema.json from values.yaml, strict: a key that nothing reads is a fault."""

from __future__ import annotations

from typing import Any

from tools.chart import settings_table
from tools.chart.values_file import ChartValue, ValuesFault

Schema = dict[str, Any]

PLUGIN_ID = "^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$"
"""The ids that the host takes; one character less, as labels hold 63."""

_OWN_HINTS = {"inherits", "without", "each", "from", "any", "keys"}
_SOURCES = {"settings": settings_table.CONFIG, "secrets": settings_table.SECRET}
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


def schema(values: dict[str, ChartValue]) -> Schema:
    """Return the schema of all values.

    Raises:
        ValuesFault: a value has no description, or its default does not tell its type.
    """
    properties = {name: _schema(value, values) for name, value in values.items()}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart pagoda",
        "type": "object",
        "properties": properties | {"global": {"type": "object"}},
        "additionalProperties": False,
    }


def _schema(value: ChartValue, values: dict[str, ChartValue]) -> Schema:
    described: Schema = {"description": value.description} if value.description else {}
    hints = {key: hint for key, hint in value.hints.items() if key not in _OWN_HINTS}
    if "any" in value.hints:
        return described
    if source := value.hints.get("from"):
        return described | settings_table.schema_of(_SOURCES[source])
    if parent := value.hints.get("each"):
        each = {"$ref": f"#/properties/{parent}"}
        return described | {
            "type": "object",
            "propertyNames": {"pattern": PLUGIN_ID},
            "additionalProperties": each,
        }
    if source := value.hints.get("keys"):
        names = settings_table.schema_of(_SOURCES[source])["properties"]
        properties = {key: {"type": "string"} for key in names}
        return described | {"type": "object", "properties": properties, "additionalProperties": False}
    if value.is_map:
        return described | _map(value, values) | hints
    return described | _leaf(value) | hints


def _map(value: ChartValue, values: dict[str, ChartValue]) -> Schema:
    """Return the schema of a map with its inherited keys, those with another default among them."""
    inherited = _inherited(value, values)
    own = {
        name: _schema(child, values)
        for name, child in value.children.items()
        if child.description or child.is_map or name not in inherited
    }
    return {"type": "object", "properties": inherited | own, "additionalProperties": False}


def _inherited(value: ChartValue, values: dict[str, ChartValue]) -> dict[str, Schema]:
    parent = value.hints.get("inherits")
    if parent is None:
        return {}
    names = [*_inherited(values[parent], values), *values[parent].children]
    left_out = value.hints.get("without", ())
    return {
        name: {"$ref": f"#/properties/{parent}/properties/{name}"} for name in names if name not in left_out
    }


def _leaf(value: ChartValue) -> Schema:
    if not value.description:
        raise ValuesFault(f"{value.name} has no description: write a comment above it in values.yaml")
    found: Schema = {"type": _TYPES[type(value.default)]}
    if found["type"] == "object":
        found["additionalProperties"] = False
    return found

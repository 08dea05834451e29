"""What the OpenAPI schema says of JSON that the core reads and makes: attributes, conditions, values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pagoda.domain.search.conditions import MAX_FIELD_LENGTH, MAX_TESTS, OPERATORS
from pagoda_api.fields import LEVEL, MAX_ID, NAME
from pagoda_plugin_sdk.rules.attr_types import TYPES
from pagoda_plugin_sdk.rules.specs import ON_DELETE


def _ref(component: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{component}"}


_NAMED: Final = _ref("Named")
_ID: Final = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
_FLAG: Final = {"type": "boolean"}
_PARTS: Final = {"type": "array", "items": _ref("Condition"), "maxItems": MAX_TESTS}

_SPEC: Final = {
    "type": "object",
    "description": "An attribute of an entity: with `id` one that is there, without a new one, of `name` and "
    "`type`.",
    "properties": {
        "id": _ID,
        "is_deleted": {**_FLAG, "description": "Removes the attribute with the `id`."},
        "name": NAME,
        "type": {"type": "string", "enum": sorted(TYPES)},
        "is_mandatory": _FLAG,
        "is_readable": {**_FLAG, "description": "As it is shown; not looked at."},
        "index": {"type": "integer", "minimum": 1 - 2**31, "maximum": 2**31 - 1},
        "is_summarized": _FLAG,
        "is_indexed": _FLAG,
        "is_delete_in_chain": _FLAG,
        "on_delete": {"type": "string", "enum": list(ON_DELETE), "description": "Of references alone."},
        "note": {"type": "string"},
        "default_value": {"description": "Of the attribute's type; references have none."},
        "choices": {"type": "array", "items": NAME, "uniqueItems": True, "description": "Of selects alone."},
        "referral": {
            "type": "array",
            "description": "Entities whose entries it may point to, by id, name or as they are shown.",
            "items": {
                "oneOf": [
                    _ID,
                    NAME,
                    {
                        "type": "object",
                        "properties": {"id": _ID, "name": NAME},
                        "required": ["id"],
                        "additionalProperties": False,
                    },
                ]
            },
        },
        "default_permission": LEVEL,
    },
    "additionalProperties": False,
    "if": {"not": {"required": ["id"]}},
    "then": {"required": ["name", "type"]},
}

_CONDITION: Final = {
    "type": "object",
    "description": "A test of a field, or a tree of them: `and`, `or` or `not` alone. All but `empty` test "
    "against a value.",
    "properties": {
        "and": _PARTS,
        "or": _PARTS,
        "not": _ref("Condition"),
        "field": {"type": "string", "minLength": 1, "maxLength": MAX_FIELD_LENGTH},
        "op": {"type": "string", "enum": list(OPERATORS), "default": "eq"},
        "value": {},
    },
    "additionalProperties": False,
    # Not as `oneOf`, in which generators of clients find no way back to the whole.
    "if": {"required": ["field"]},
    "then": {"propertyNames": {"enum": ["field", "op", "value"]}},
    "else": {"propertyNames": {"enum": ["and", "or", "not"]}, "minProperties": 1, "maxProperties": 1},
}

_ENTRY: Final = {
    "type": "object",
    "description": "The entry that a reference points to.",
    "properties": {"id": {"type": "integer"}, "name": {"type": "string"}, "schema": _ref("Named")},
    "required": ["id", "name"],
}
_NAMED_ENTRY: Final = {
    "type": "object",
    "description": "A reference that has a name.",
    "properties": {
        "name": {"type": "string"},
        "object": {"oneOf": [_ref("EntryTarget"), {"type": "null"}]},
    },
    "required": ["name", "object"],
}

COMPONENTS: Final[Mapping[str, dict[str, Any]]] = {
    "AttributeSpec": _SPEC,
    "Condition": _CONDITION,
    "EntryTarget": _ENTRY,
    "NamedEntryTarget": _NAMED_ENTRY,
}
"""``{name: schema}``, Any: JSON"""

_VALUES: Final[Mapping[str, dict[str, Any]]] = {
    "string": {"type": "string"},
    "text": {"type": "string"},
    "select": {"type": "string"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "object": _ref("EntryTarget"),
    "named_object": _ref("NamedEntryTarget"),
    "group": _NAMED,
    "role": _NAMED,
}
"""``{type of an attribute: one value of it as it is shown}``"""


def by_type(info: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an attribute that is shown, as one of its types."""
    shapes = []
    for name, value in _VALUES.items():
        one = {"oneOf": [value, {"type": "null"}]}
        for type_name, shape in ((name, one), (f"array_{name}", {"type": "array", "items": value})):
            properties = {**info["properties"], "type": {"const": type_name}, "value": shape}
            shapes.append({**info, "title": f"attribute_{type_name}", "properties": properties})
    return {"oneOf": shapes, "description": info.get("description", "")}

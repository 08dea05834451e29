"""What the OpenAPI schema says of JSON that the core reads and makes: attributes, conditions, values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pagoda.domain.bulk.items import FIELDS
from pagoda.domain.search.conditions import MAX_FIELD_LENGTH, MAX_TESTS, OPERATORS
from pagoda.domain.search.filters import OWN_FIELDS
from pagoda.domain.user.models import Level
from pagoda_api.fields import ID, ID_OR_NAME, LEVEL, NAME, VALUES
from pagoda_plugin_sdk.rules.attr_types import TYPES
from pagoda_plugin_sdk.rules.specs import ON_DELETE


def _ref(component: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{component}"}


_NAMED: Final = _ref("Named")
_FLAG: Final = {"type": "boolean"}
_PARTS: Final = {"type": "array", "items": _ref("Condition"), "maxItems": MAX_TESTS}

_SPEC: Final = {
    "type": "object",
    "description": "An attribute of an entity: with `id` one that is there, without a new one, of `name` and "
    "`type`.",
    "properties": {
        "id": {"oneOf": [ID, {"type": "null"}]},
        "is_deleted": {**_FLAG, "description": "Removes the attribute with the `id`."},
        "name": NAME,
        "type": {"type": "string", "enum": sorted(TYPES)},
        "is_mandatory": _FLAG,
        "is_readable": {"description": "As it is shown; not looked at."},
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
                    ID,
                    NAME,
                    {
                        "type": "object",
                        "properties": {"id": ID, "name": NAME},
                        "required": ["id"],
                        "additionalProperties": False,
                    },
                ]
            },
        },
        "default_permission": LEVEL,
    },
    "additionalProperties": False,
    "if": {"required": ["id"], "properties": {"id": ID}},
    "else": {"required": ["name", "type"], "properties": {"is_deleted": {"const": False}}},
}

_CONDITION: Final = {
    "type": "object",
    "description": "A test of a field, or a tree of them: `and`, `or` or `not` alone. All but `empty` test "
    "against a value.",
    "properties": {
        "and": _PARTS,
        "or": _PARTS,
        "not": _ref("Condition"),
        "field": {
            "type": "string",
            "maxLength": MAX_FIELD_LENGTH,
            "pattern": f"^({'|'.join(OWN_FIELDS)}|attr\\..+)$",
        },
        "op": {"type": "string", "enum": list(OPERATORS), "default": "eq"},
        "value": {},
    },
    "additionalProperties": False,
    "allOf": [
        {
            "if": {
                "required": ["field"],
                "not": {"properties": {"op": {"const": "empty"}}, "required": ["op"]},
            },
            "then": {"required": ["value"]},
        },
        {
            "if": {"properties": {"op": {"const": "empty"}}, "required": ["op"]},
            "then": {"properties": {"value": _FLAG}},
        },
    ],
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

_BULK_ITEM: Final = {
    "type": "object",
    "description": "One write. `key` is what an upsert finds the entry by: `name`, or an attribute's name; a "
    'reference among the values may be `{"name", "entity"}` instead of an id.',
    "properties": {
        "op": {"type": "string", "enum": [*FIELDS]},
        "id": {**ID, "description": "Of the entry to update or delete."},
        "entity": ID_OR_NAME,
        "key": NAME,
        "name": NAME,
        "note": {"type": "string"},
        "attrs": VALUES,
    },
    "required": ["op"],
    "additionalProperties": False,
    "allOf": [
        {
            "if": {"properties": {"op": {"const": op}}, "required": ["op"]},
            "then": {"required": [*needed], "propertyNames": {"enum": ["op", *needed, *others]}},
        }
        for op, (needed, others) in FIELDS.items()
    ],
}

_NULL: Final = {"type": "null"}
_OF_A_LEVEL: Final = ("entity", "attr", "entry")


def _alone(name: str) -> dict[str, Any]:
    others = {other: _NULL for other in _OF_A_LEVEL if other != name}
    return {"required": [name], "properties": {name: {"not": _NULL}, **others}}


_GRANT: Final = {
    "type": "object",
    "description": "A level on one entity, attribute or entry, each by its id or as it is shown; "
    "an entity by name, too.",
    "properties": {
        "id": {"type": "integer", "description": "As it is shown; not looked at."},
        "level": {"oneOf": [{"type": "string", "enum": [level.label for level in Level]}, LEVEL]},
        "entity": {"oneOf": [_NULL, ID, NAME, _ref("NamedTarget")]},
        "attr": {"oneOf": [_NULL, ID, _ref("NamedTarget")]},
        "entry": {"oneOf": [_NULL, ID, _ref("NamedTarget")]},
    },
    "required": ["level"],
    "additionalProperties": False,
    "if": _alone("entity"),
    "else": {"if": _alone("attr"), "else": _alone("entry")},
}
_NAMED_TARGET: Final = {
    "type": "object",
    "properties": {"id": ID, "name": {"type": "string"}},
    "required": ["id"],
    "additionalProperties": {},
}

COMPONENTS: Final[Mapping[str, dict[str, Any]]] = {
    "AttributeSpec": _SPEC,
    "BulkItem": _BULK_ITEM,
    "Condition": _CONDITION,
    "EntryTarget": _ENTRY,
    "GrantRequest": _GRANT,
    "NamedTarget": _NAMED_TARGET,
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

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from pagoda_plugin_sdk.rules.attr_types import TYPES, AttrType, parse_type

NAMES = {
    "object": 1,
    "string": 2,
    "text": 4,
    "boolean": 8,
    "group": 16,
    "date": 32,
    "role": 64,
    "datetime": 128,
    "number": 256,
    "select": 512,
    "named_object": 2049,
}


@pytest.mark.parametrize(("name", "number"), NAMES.items())
def test_names_and_numbers_are_stable(name: str, number: int) -> None:
    assert TYPES[name] == number
    assert TYPES[f"array_{name}"] == number | 1024
    assert len(TYPES) == 2 * len(NAMES)


@pytest.mark.parametrize("name", TYPES)
def test_a_type_is_read_from_its_name_its_number_and_itself(name: str) -> None:
    attr_type = TYPES[name]
    assert parse_type(name) is parse_type(int(attr_type)) is parse_type(attr_type) is attr_type
    assert attr_type.type_name == name
    assert attr_type.is_array == name.startswith("array_")
    assert attr_type.element.type_name == name.removeprefix("array_")
    assert attr_type.is_reference == any(word in name for word in ("object", "group", "role"))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("strng", "There is no attribute type 'strng'. Did you mean 'string'? The types are string, text, "),
        ("", "There is no attribute type ''. The types are string, text, "),
        (3, "There is no attribute type 3. The types"),
        (AttrType.ARRAY, "There is no attribute type <AttrType.ARRAY: 1024>."),
        (AttrType.STRING | AttrType.NAMED, "There is no attribute type <AttrType.STRING|NAMED: 2050>."),
        (2.0, "There is no attribute type 2.0."),
        (None, "There is no attribute type None."),
        (True, "There is no attribute type True."),
    ],
)
def test_anything_else_is_refused(value: object, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parse_type(value)
    assert caught.value.messages[0].startswith(message)

"""What values of each type may be, and what they are when they are read."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from django.core.exceptions import ValidationError

NOON = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
BERLIN = timezone(timedelta(hours=2))
CHOICES: dict[str, Any] = {"choices": ["red", "green"]}

RIGHT: list[tuple[str, Any, Any]] = [
    ("string", "web", "web"),
    ("string", "", ""),
    ("string", "a\nb", "a\nb"),
    ("string", "ä" * 65_535, "ä" * 65_535),
    ("text", "long\ntext", "long\ntext"),
    ("text", "x" * 70_000, "x" * 70_000),
    ("boolean", True, True),
    ("boolean", False, False),
    ("number", 3, 3),
    ("number", -3.5, -3.5),
    ("number", 2**63 - 1, 2**63 - 1),
    ("date", "2026-03-31", date(2026, 3, 31)),
    ("date", date(2026, 3, 31), date(2026, 3, 31)),
    ("datetime", "2026-03-31T12:00:00Z", NOON),
    ("datetime", "2026-03-31T14:00:00+02:00", NOON),
    ("datetime", datetime(2026, 3, 31, 14, 0, tzinfo=BERLIN), NOON),
    ("select", "red", "red"),
    ("string", None, None),
    ("date", None, None),
    ("array_string", ["b", "a", "b"], ["b", "a", "b"]),
    ("array_string", ("a",), ["a"]),
    ("array_string", [], []),
    ("array_string", None, []),
    ("array_text", ["x\ny"], ["x\ny"]),
    ("array_boolean", [True, False], [True, False]),
    ("array_number", [1, 2.5], [1, 2.5]),
    ("array_date", ["2026-03-31"], [date(2026, 3, 31)]),
    ("array_datetime", ["2026-03-31T12:00:00Z"], [NOON]),
    ("array_select", ["green", "red"], ["green", "red"]),
]

WRONG: list[tuple[str, Any]] = [
    ("string", 3),
    ("string", ["web"]),
    ("string", True),
    ("string", "a\x00b"),
    ("string", "\ud800"),
    ("string", "x" * 65_536),
    ("text", 3),
    ("text", {"a": 1}),
    ("boolean", "yes"),
    ("boolean", 1),
    ("boolean", 0),
    ("number", "3"),
    ("number", True),
    ("number", float("nan")),
    ("number", float("inf")),
    ("number", 2**63),
    ("number", 10**400),
    ("date", "31.03.2026"),
    ("date", "2026-02-30"),
    ("date", NOON),
    ("date", 20260331),
    ("datetime", "2026-03-31"),
    ("datetime", "2026-03-31T12:00:00"),
    ("datetime", datetime(2026, 3, 31, 12, 0)),  # noqa: DTZ001 - what is wrong with it
    ("datetime", "0001-01-01T00:00:00+05:00"),
    ("datetime", 0),
    ("select", "blue"),
    ("select", "Red"),
    ("select", 1),
    ("array_string", "a"),
    ("array_string", [1]),
    ("array_string", ["a", None]),
    ("array_string", [["a"]]),
    ("array_number", {"0": 1}),
    ("array_boolean", ["true"]),
    ("array_date", ["tomorrow"]),
    ("array_datetime", ["2026-03-31T12:00:00"]),
    ("array_select", ["red", "blue"]),
    ("array_string", ["x"] * 10_001),
]


def short(value: Any) -> str:
    return ascii(value)[:40]


def spec_of(type_name: str) -> dict[str, Any]:
    return {"type": type_name} | (CHOICES if "select" in type_name else {})


@pytest.mark.parametrize(("type_name", "given", "read"), RIGHT, ids=short)
def test_a_right_value_is_read_in_its_python_form(type_name: str, given: Any, read: Any, make: Any) -> None:
    entry = make.entry(make.entity(value=spec_of(type_name)), value=given)

    found = entry.get_attrs()["value"]

    assert (type(found), found) == (type(read), read)


@pytest.mark.parametrize(("type_name", "given", "read"), RIGHT, ids=short)
def test_a_right_value_replaces_another(type_name: str, given: Any, read: Any, make: Any) -> None:
    entry = make.entry(make.entity(value=spec_of(type_name), other="string"), other="kept")

    entry.set_attrs(None, value=given)

    assert entry.get_attrs() == {"value": read, "other": "kept"}


@pytest.mark.parametrize(("type_name", "given"), WRONG, ids=short)
def test_a_wrong_value_is_refused_under_the_attribute_s_name(type_name: str, given: Any, make: Any) -> None:
    entity = make.entity(value=spec_of(type_name))
    entry = make.entry(entity)
    before = entry.get_attrs()

    with pytest.raises(ValidationError) as created:
        make.entry(entity, "web-2", value=given)
    with pytest.raises(ValidationError) as updated:
        entry.set_attrs(None, value=given)

    assert type(created.value) is type(updated.value)
    assert type(created.value).__name__ == "AttributeTypeError"
    assert created.value.message_dict.keys() == {"value"}
    assert created.value.message_dict == updated.value.message_dict
    assert created.value.message_dict["value"][0].startswith("Attribute 'value': ")
    assert entry.get_attrs() == before


@pytest.mark.parametrize("name", ["__all__", "non_field_errors"])
def test_an_attribute_can_t_be_taken_for_the_whole(name: str, make: Any) -> None:
    entity = make.entity(**{name: "number"})
    entry = make.entry(entity, "web-1", **{name: 1})

    with pytest.raises(ValidationError) as created:
        make.entry(entity, "web-2", **{name: "many"})
    with pytest.raises(ValidationError) as updated:
        entry.set_attrs(None, **{name: "many"})
    with pytest.raises(ValidationError) as defined:
        make.entity("Rack", **{name: "strin"})

    for caught in (created, updated, defined):
        assert caught.value.message_dict.keys() == {f"attr.{name}"}
    assert created.value.message_dict == updated.value.message_dict


def test_what_is_wrong_is_told_together(make: Any) -> None:
    entity = make.entity(count="number", up="boolean", name_of="string")

    with pytest.raises(ValidationError) as caught:
        make.entry(entity, "web-1", count="3", up="yes", name_of="right")

    assert caught.value.message_dict == {
        "count": ["Attribute 'count': expected a number such as 3 or 3.5, got '3'"],
        "up": ["Attribute 'up': expected true or false, got 'yes'"],
    }


def test_near_misses_of_a_choice_are_named(make: Any) -> None:
    entity = make.entity(value=spec_of("select"))

    with pytest.raises(ValidationError) as caught:
        make.entry(entity, value="gren")

    assert caught.value.messages == [
        (
            "Attribute 'value': 'gren' is not one of its choices. Did you mean 'green'? "
            "The choices are 'red', 'green'."
        )
    ]


@pytest.mark.parametrize(
    ("type_name", "default", "read"),
    [("string", "new", "new"), ("date", "2026-03-31", date(2026, 3, 31)), ("array_number", [1], [1])],
)
def test_a_default_is_the_value_of_an_entry_that_gives_none(
    type_name: str, default: Any, read: Any, make: Any
) -> None:
    entity = make.entity(value={"type": type_name, "default_value": default})

    assert make.entry(entity, "without").get_attrs() == {"value": read}
    assert make.entry(entity, "none", value=None).get_attrs()["value"] in (None, [])


@pytest.mark.parametrize("blank", [None, "", [], "absent"], ids=repr)
def test_a_mandatory_attribute_needs_a_value(blank: Any, make: Any) -> None:
    type_name = "array_string" if isinstance(blank, list) else "string"
    entity = make.entity(value={"type": type_name, "is_mandatory": True})
    attrs = {} if blank == "absent" else {"value": blank}

    with pytest.raises(ValidationError) as caught:
        make.entry(entity, **attrs)

    assert caught.value.message_dict == {"value": ["Attribute 'value' is mandatory; give it a value."]}
    assert [fault.code for fault in caught.value.error_dict["value"]] == ["required"]


def test_a_mandatory_attribute_can_t_be_emptied(make: Any) -> None:
    entry = make.entry(make.entity(value={"type": "string", "is_mandatory": True}), value="a")

    with pytest.raises(ValidationError, match="is mandatory"):
        entry.set_attrs(None, value=None)

    assert entry.get_attrs() == {"value": "a"}


@pytest.mark.parametrize("name", ["oss", "values", "VALUE"])
def test_an_unknown_attribute_is_refused(name: str, make: Any) -> None:
    entity = make.entity(value="string")
    entry = make.entry(entity)

    with pytest.raises(ValidationError) as created:
        make.entry(entity, "web-2", **{name: "x"})
    with pytest.raises(ValidationError) as updated:
        entry.set_attrs(None, **{name: "x"})

    assert created.value.message_dict == updated.value.message_dict
    assert created.value.message_dict[name][0].startswith(f"Entity 'Host' has no attribute {name!r}.")
    assert [fault.code for fault in created.value.error_dict[name]] == ["unknown"]


def test_attributes_can_be_read_by_name(make: Any) -> None:
    entry = make.entry(make.entity(a="string", b="string"), a="1")

    assert entry.get_attrs(names=["a"]) == {"a": "1"}
    with pytest.raises(KeyError, match="Entity 'Host' has no attribute 'aa'"):
        entry.get_attrs(names=["aa"])


def test_attributes_are_in_the_order_of_their_index(make: Any) -> None:
    entity = make.entity(last={"type": "string", "index": 2}, first={"type": "string", "index": 1})

    assert list(make.entry(entity).get_attrs()) == ["first", "last"]

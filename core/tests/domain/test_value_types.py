"""Every type: what it takes, how it is stored and shown, and what it refuses."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Group
from hypothesis import given
from hypothesis import strategies as st

from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.storing import to_current
from pagoda.domain.user.models import Level, Role
from pagoda_plugin_sdk.rules.attr_types import TYPES, AttrType
from pagoda_plugin_sdk.rules.scalar_types import SCALAR_TYPES, ValueFault, kept_number
from pagoda_plugin_sdk.rules.state import Definition, Link, LinkTarget, Value
from pagoda_plugin_sdk.rules.value_types import (
    VALUE_TYPES,
    as_json,
    as_python,
    from_storage,
    parse,
)
from pagoda_plugin_sdk.washing import shown

CHOICES = ("metal", "virtual")


def definition(type_name: str) -> Definition:
    return Definition(
        id=1,
        entity_id=1,
        name="attr",
        type=TYPES[type_name],
        is_mandatory=False,
        index=0,
        default_value=None,
        choices=CHOICES,
        level=Level.FULL,
        is_open=True,
    )


def test_the_table_has_every_type() -> None:
    assert set(VALUE_TYPES) == {attr_type.element for attr_type in TYPES.values()}


EAST = timezone(timedelta(hours=2))
NAIVE = datetime(2026, 3, 31, 9, 30, tzinfo=UTC).replace(tzinfo=None)

# type, what is given, JSON, Python (... : the same)
ACCEPTED: list[tuple[str, Any, Any, Any]] = [
    ("string", "a", "a", ...),
    ("string", "", "", ...),
    ("string", "two\nlines", "two\nlines", ...),
    ("string", "x" * 65_535, "x" * 65_535, ...),
    ("string", None, None, ...),
    ("text", "x" * 1_048_576, "x" * 1_048_576, ...),
    ("boolean", True, True, ...),
    ("boolean", False, False, ...),
    ("number", 3, 3, ...),
    ("number", -2.5, -2.5, ...),
    ("number", 2**63 - 1, 2**63 - 1, ...),
    ("number", 9.2e18, 9_200_000_000_000_000_000, ...),
    ("number", 1e19, 1e19, ...),
    ("date", "2026-03-31", "2026-03-31", date(2026, 3, 31)),
    ("date", "20260331", "2026-03-31", date(2026, 3, 31)),
    ("date", date(2026, 3, 31), "2026-03-31", date(2026, 3, 31)),
    (
        "datetime",
        "2026-03-31T09:30:00+02:00",
        "2026-03-31T07:30:00Z",
        datetime(2026, 3, 31, 7, 30, tzinfo=UTC),
    ),
    ("datetime", "2026-03-31T09:30:00Z", "2026-03-31T09:30:00Z", datetime(2026, 3, 31, 9, 30, tzinfo=UTC)),
    (
        "datetime",
        datetime(2026, 3, 31, 9, 30, 0, 5, tzinfo=EAST),
        "2026-03-31T07:30:00.000005Z",
        datetime(2026, 3, 31, 7, 30, 0, 5, tzinfo=UTC),
    ),
    ("select", "metal", "metal", ...),
    ("array_string", ["a", "", "a"], ["a", "", "a"], ...),
    ("array_number", (1, 2.5), [1, 2.5], ...),
    ("array_boolean", [False], [False], ...),
    ("array_select", ["virtual", "metal"], ["virtual", "metal"], ...),
    ("array_date", ["2026-03-31"], ["2026-03-31"], [date(2026, 3, 31)]),
    ("array_text", [], [], ...),
    ("array_text", None, [], ...),
]


@pytest.mark.parametrize(("type_name", "given", "as_json_value", "as_python_value"), ACCEPTED)
def test_a_scalar_is_stored_as_json_and_given_back(
    type_name: str, given: object, as_json_value: object, as_python_value: object
) -> None:
    attr = definition(type_name)
    value = parse(attr, given)
    stored = json.loads(json.dumps(to_current(attr.type, value)))
    restored = from_storage(attr.type, stored)
    assert restored == value
    assert as_json(attr, restored, is_limited=True) == as_json_value
    assert as_python(attr, restored) == (as_json_value if as_python_value is ... else as_python_value)


@pytest.mark.parametrize(
    ("type_name", "given", "links"),
    [
        ("object", 7, (Link(target_id=7),)),
        ("object", {"id": 7, "name": "lan", "schema": {"id": 1, "name": "Network"}}, (Link(target_id=7),)),
        ("object", Entry(pk=7), (Link(target_id=7),)),
        ("object", None, ()),
        ("group", Group(pk=7), (Link(target_id=7),)),
        ("role", Role(pk=7), (Link(target_id=7),)),
        ("named_object", {"name": "eth0", "object": {"id": 7}}, (Link(name="eth0", target_id=7),)),
        ("named_object", {"name": "eth0", "object": None}, (Link(name="eth0"),)),
        ("named_object", {"name": "eth0"}, (Link(name="eth0"),)),
        ("named_object", {"object": 7}, (Link(target_id=7),)),
        ("named_object", {"name": "", "object": None}, ()),
        ("array_object", [7, {"id": 8}, 7], (Link(target_id=7), Link(target_id=8), Link(target_id=7))),
        ("array_named_object", [{"name": "eth0"}, {"name": ""}], (Link(name="eth0"),)),
    ],
)
def test_a_reference_is_read_from_what_may_stand_for_it(
    type_name: str, given: object, links: tuple[Link, ...]
) -> None:
    attr = definition(type_name)
    assert parse(attr, given) == Value(links)


REFUSED: list[tuple[str, Any, str]] = [
    ("string", 3, "expected text, got 3"),
    ("string", ["a"], "expected text, got ['a']"),
    ("string", "x" * 65_536, "has 65,536 characters, at most 65,535 are allowed; shorten it"),
    ("string", "a\x00b", "contains a NUL character in 'a\\x00b'; remove it"),
    ("string", "\ud800", "contains half of a surrogate pair in '\\ud800'; send valid Unicode"),
    ("text", b"a", "expected text, got b'a'"),
    ("text", "x" * 1_048_577, "has 1,048,577 characters, at most 1,048,576 are allowed; shorten it"),
    ("boolean", 1, "expected true or false, got 1"),
    ("boolean", "true", "expected true or false, got 'true'"),
    ("number", True, "expected a number such as 3 or 3.5, got True"),
    ("number", "3", "expected a number such as 3 or 3.5, got '3'"),
    ("number", Decimal(3), "expected a number such as 3 or 3.5, got Decimal('3')"),
    ("number", float("nan"), "expected a finite number, got nan; set null instead"),
    ("number", float("-inf"), "expected a finite number, got -inf; set null instead"),
    ("number", 2**63, "the integer 9223372036854775808 does not fit 64 bits; keep it in a string attribute"),
    ("number", 10**19, f"the integer {10**19} does not fit 64 bits; keep it in a string attribute"),
    ("number", 10**400, f"the integer {shown(10**400)} does not fit 64 bits; keep it in a string attribute"),
    ("date", "31.3.2026", "expected a date in ISO 8601 such as '2026-03-31', got '31.3.2026'"),
    ("date", "2026-02-30", "expected a date in ISO 8601 such as '2026-03-31', got '2026-02-30'"),
    (
        "date",
        NAIVE,
        "expected a date in ISO 8601 such as '2026-03-31', got datetime.datetime(2026, 3, 31, 9, 30)",
    ),
    ("date", 20260331, "expected a date in ISO 8601 such as '2026-03-31', got 20260331"),
    (
        "datetime",
        "2026-03-31T09:30:00",
        "the instant '2026-03-31T09:30:00' has no offset from UTC; add it, as in '2026-03-31T09:30:00+02:00'",
    ),
    ("datetime", "now", "expected an instant in ISO 8601 such as '2026-03-31T09:30:00+02:00', got 'now'"),
    ("datetime", 1.5, "expected an instant in ISO 8601 such as '2026-03-31T09:30:00+02:00', got 1.5"),
    (
        "datetime",
        "0001-01-01T00:00:00+10:00",
        "the instant '0001-01-01T00:00:00+10:00' is outside the years 1 to 9999 in UTC",
    ),
    (
        "select",
        "metl",
        "'metl' is not one of its choices. Did you mean 'metal'? The choices are 'metal', 'virtual'.",
    ),
    ("select", 1, "1 is not one of its choices. The choices are 'metal', 'virtual'."),
    ("array_string", "abc", "expected a list, got 'abc'; put the value in brackets"),
    ("array_number", [1, "x"], "element 1: expected a number such as 3 or 3.5, got 'x'"),
    ("array_string", ["a", None], "element 1 is null; leave it out"),
    ("object", "lan", "expected the entry, its id or {'id': ...}, got 'lan'"),
    ("object", True, "expected the entry, its id or {'id': ...}, got True"),
    (
        "object",
        {"name": "lan"},
        "expected the entry, its id or {'id': ...}, got {'name': 'lan'}",
    ),
    (
        "object",
        Group(pk=1, name="g"),
        "expected the entry, its id or {'id': ...}, got <Group: g>",
    ),
    ("object", 0, "there is no entry with the id 0; send an existing one"),
    ("group", 2**63, "there is no group with the id 9223372036854775808; send an existing one"),
    ("role", 1.0, "expected the role, its id or {'id': ...}, got 1.0"),
    ("named_object", 7, "expected {'name': ..., 'object': ...}, got 7"),
    ("named_object", {}, "expected {'name': ..., 'object': ...}, got {}"),
    ("named_object", {"nmae": "x"}, "expected {'name': ..., 'object': ...}, got {'nmae': 'x'}"),
    ("named_object", {"name": 1}, "the 'name' in {'name': ..., 'object': ...}: expected text, got 1"),
    (
        "array_named_object",
        [{"object": "x"}],
        "element 0: expected the entry, its id or {'id': ...}, got 'x'",
    ),
]


@pytest.mark.parametrize(("type_name", "given", "message"), REFUSED)
def test_a_wrong_value_is_refused(type_name: str, given: object, message: str) -> None:
    with pytest.raises(ValueFault) as caught:
        parse(definition(type_name), given)
    assert str(caught.value) == message


NAMED_TARGET = LinkTarget(id=7, name="lan", schema_id=1, schema_name="Network")
LAN = {"id": 7, "name": "lan", "schema": {"id": 1, "name": "Network"}}


@pytest.mark.parametrize(
    ("target", "shown", "shown_to_viewer"),
    [
        ({}, LAN, LAN),
        ({"is_visible": False}, LAN, None),
        ({"is_active": False}, None, None),
    ],
    ids=["in sight", "hidden", "deleted"],
)
def test_a_target_is_shown_unless_it_is_gone_or_hidden(
    target: dict[str, bool], shown: Any, shown_to_viewer: Any
) -> None:
    merged = LinkTarget(id=7, name="lan", schema_id=1, schema_name="Network", **target)
    value = Value((Link(name="eth0", target_id=7, target=merged),))
    plain = Value((Link(target_id=7, target=merged),))
    assert as_python(definition("object"), plain) == shown
    assert as_json(definition("object"), plain, is_limited=True) == shown_to_viewer
    assert as_json(definition("array_object"), plain, is_limited=True) == [shown_to_viewer] * bool(
        shown_to_viewer
    )
    assert as_json(definition("named_object"), value, is_limited=True) == {
        "name": "eth0",
        "object": shown_to_viewer,
    }
    assert as_python(definition("array_named_object"), value) == [{"name": "eth0", "object": shown}]


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    "number": st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "date": st.dates(),
    "datetime": st.datetimes(
        min_value=NAIVE.replace(year=2), max_value=NAIVE.replace(year=9998), timezones=st.just(EAST)
    ),
    "select": st.sampled_from(CHOICES),
}


@given(name=st.sampled_from(sorted(SCALARS)), data=st.data())
def test_every_value_survives_storage(name: str, data: st.DataObject) -> None:
    given_value = data.draw(SCALARS[name])
    for attr, raw in ((definition(name), given_value), (definition(f"array_{name}"), [given_value])):
        stored = json.loads(json.dumps(to_current(attr.type, parse(attr, raw))))
        assert as_python(attr, from_storage(attr.type, stored)) == raw


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(attr_type=st.sampled_from(list(SCALAR_TYPES)), raw=ANYTHING)
def test_anything_is_read_or_refused_with_a_message(attr_type: AttrType, raw: object) -> None:
    for attr in (definition(attr_type.type_name), definition(f"array_{attr_type.type_name}")):
        try:
            value = parse(attr, raw)
        except ValueFault as fault:
            assert str(fault)  # noqa: PT017 - either outcome is right
        else:
            assert from_storage(attr.type, to_current(attr.type, value)) == value


def test_a_proxy_is_no_entry() -> None:
    with pytest.raises(ValueFault, match="expected the entry, its id"):
        parse(definition("object"), SimpleNamespace(pk=7))


def test_zero_has_no_sign() -> None:
    """PostgreSQL has no -0.0, so that a write would be answered with another number than readings are."""
    assert [repr(kept_number(number)) for number in (-0.0, 0.0, 0, -2.5)] == ["0.0", "0.0", "0", "-2.5"]

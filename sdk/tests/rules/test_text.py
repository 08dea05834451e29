from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from pagoda_plugin_sdk.rules.text import name_fault, validate_name
from pagoda_plugin_sdk.washing import shown


@pytest.mark.parametrize("name", ["a", " padded ", "ホスト　一", "x" * 200, "tab-less", "naïve\u00a0name"])
def test_a_name_is_any_printable_text(name: str) -> None:
    assert name_fault(name) is None


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "is blank (''); give a name of 1 to 200 characters"),
        (" \t", "is blank (' \\t'); give a name of 1 to 200 characters"),
        ("x" * 201, "has 201 characters, at most 200 are allowed; shorten it"),
        ("a\nb", "contains a line break or another control character ('a\\nb'); remove it"),
        ("a\x00", "contains a NUL character in 'a\\x00'; remove it"),
        ("\udfff", "contains half of a surrogate pair in '\\udfff'; send valid Unicode"),
        (7, "expected text, got 7"),
        (None, "expected text, got None"),
    ],
)
def test_any_other_name_is_refused(name: object, fault: str) -> None:
    assert name_fault(name) == fault
    with pytest.raises(ValidationError) as caught:
        validate_name(name)
    assert caught.value.messages == [f"The name {fault}."]


def test_a_long_value_is_shortened_in_messages() -> None:
    assert shown("x" * 100) == f"'{'x' * 59}..."
    assert shown([1]) == "[1]"

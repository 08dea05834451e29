from __future__ import annotations

import unicodedata

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from pagoda_plugin_sdk.rules.text import (
    by_clean_name,
    clean_name,
    name_fault,
    renamed,
    spellings,
    validate_name,
)
from pagoda_plugin_sdk.washing import shown

NFC, NFD = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize(
    "name",
    [
        "a",
        " padded ",
        "ホスト　一",
        "x" * 200,
        "tab-less",
        "naïve\u00a0name",
        NFD,
        "e\u0301" * 200,
        " " * 300 + "a",
    ],
    ids=ascii,
)
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
        ("a\u200bb", "contains a character that nobody sees (U+200B in 'a\\u200bb'); remove it"),
        ("\u3164", "contains a character that nobody sees (U+3164 in '\u3164'); remove it"),
        ("\u0301", "has no character that is seen by itself ('\u0301'); give it a letter or a digit"),
        (7, "expected text, got 7"),
        (None, "expected text, got None"),
    ],
)
def test_any_other_name_is_refused(name: object, fault: str) -> None:
    assert name_fault(name) == fault
    with pytest.raises(ValidationError) as caught:
        validate_name(name)
    assert caught.value.messages == [f"The name {fault}."]


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        (NFD, NFC),
        ("\u3000web-1\n", "web-1"),
        ("ﬁ", "ﬁ"),  # NFKC would make two letters of it
        ("Straße", "Straße"),
        (7, 7),
        (None, None),
    ],
    ids=ascii,
)
def test_a_clean_name_is_composed_and_trimmed(given: object, clean: object) -> None:
    assert clean_name(given) == clean


@given(st.text(max_size=50))
def test_a_clean_name_is_clean_already(text: str) -> None:
    clean = clean_name(text)

    assert clean_name(clean) == clean == unicodedata.normalize("NFC", clean).strip()


def test_text_that_is_too_long_for_a_name_is_not_gone_through() -> None:
    text = "\u0301\u0323" * 500_000

    assert clean_name(text) is text
    assert spellings([text, "x" * 201]) == set()


def test_a_name_is_looked_for_in_all_its_spellings_that_a_column_can_hold() -> None:
    assert spellings(["web-1"]) == {"web-1"}
    assert spellings([f" {NFD}"]) == {NFC, NFD, f" {NFD}"}
    assert spellings(["a\x00", "\ud800", 7, None]) == set()


def test_of_two_old_names_alike_the_clean_one_counts() -> None:
    assert by_clean_name([(NFC, 1), (NFD, 2)]) == by_clean_name([(NFD, 2), (NFC, 1)]) == {NFC: 1}
    assert by_clean_name([(NFD, 2)]) == {NFC: 2}


def test_a_name_that_is_sent_back_stays_as_it_is_stored() -> None:
    assert renamed(NFD, NFD) == NFD
    assert renamed(NFD, NFC) == renamed("x", NFD) == NFC


def test_a_long_value_is_shortened_in_messages() -> None:
    assert shown("x" * 100) == f"'{'x' * 59}..."
    assert shown([1]) == "[1]"

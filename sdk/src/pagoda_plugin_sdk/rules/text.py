"""Checks of text that the database, the logs and the pages are to carry unharmed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.core.exceptions import ValidationError

from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.unseen import has_seen, unseen_in
from pagoda_plugin_sdk.washing import shown, storable_fault, text_fault

MAX_NAME_LENGTH = 200
_LONGEST_SPELLING: Final = 4 * MAX_NAME_LENGTH  # no character is more than four in another form
_LISTED = 30  # names that a message lists


def listed(items: Sequence[str]) -> str:
    """Return the first items with the number of the others, for a message."""
    more = len(items) - _LISTED
    return ", ".join(items[:_LISTED]) + (say(" and {more:,} more", more=more) if more > 0 else "")


def clean_name(value: Any) -> Any:  # Any: text becomes text, anything else stays what it is
    """Return a name as it is stored: in Unicode's form NFC, without white space around it.

    What is no text, or too long for a name, is returned as it is, for `name_fault` to refuse.
    """
    if not isinstance(value, str):
        return value
    text = str.strip(value)
    if text.isascii() or len(text) > _LONGEST_SPELLING:
        return text
    return unicodedata.normalize("NFC", text)


def renamed(stored: str, given: Any) -> Any:  # Any: unchecked, see `clean_name`
    """Return the clean name that a write gives to what is `stored`; sent back as it is, it stays as it is."""
    return stored if given == stored else clean_name(given)


def spellings(names: Iterable[object]) -> set[str]:
    """Return how stored rows may spell the names: clean, as given, or in NFD, as earlier releases took them.

    What no column can hold is left out, so that a query takes the rest.
    """
    found: set[str] = set()
    for name in names:
        clean = clean_name(name)
        if not isinstance(name, str) or len(clean) > MAX_NAME_LENGTH:
            continue
        if name == clean and _is_plain(name):
            found.add(name)
            continue
        given = {clean, name, unicodedata.normalize("NFD", clean)}
        found |= {each for each in given if len(each) <= _LONGEST_SPELLING and storable_fault(each) is None}
    return found


def _is_plain(text: str) -> bool:
    """Return whether there is one way to write `text`, all of which is seen and can be stored."""
    return text.isascii() and text.isprintable()


def by_clean_name[T](named: Iterable[tuple[str, T]]) -> dict[str, T]:
    """Return things by their clean names; of several alike the one whose stored name is clean."""
    found: dict[str, T] = {}
    for name, thing in named:
        clean = clean_name(name)
        if name == clean or clean not in found:
            found[clean] = thing
    return found


def label_fault(value: object) -> str | None:
    """Return what is wrong with `value` as one line of text that is not blank, None when nothing is."""
    fault = text_fault(value, MAX_NAME_LENGTH)
    if fault is not None or not isinstance(value, str):
        return fault
    if not value.strip():
        return _blank(value)
    if not _is_plain(value) and any(unicodedata.category(character) == "Cc" for character in value):
        return say(
            "contains a line break or another control character ({value}); remove it", value=shown(value)
        )
    return None


def _blank(value: object) -> str:
    return say(
        "is blank ({value}); give a name of 1 to {max_name_length} characters",
        value=shown(value),
        max_name_length=MAX_NAME_LENGTH,
    )


def name_fault(value: object) -> str | None:
    """Return what is wrong with `value`, once clean, as a name in the domain, None when nothing is."""
    name = clean_name(value)
    fault = _blank(value) if name == "" else label_fault(name)
    if fault is not None or _is_plain(name):
        return fault
    unseen = unseen_in(name)
    if unseen is not None:
        return say(
            "contains a character that nobody sees (U+{unseen:04X} in {value}); remove it",
            unseen=ord(unseen),
            value=shown(value),
        )
    if not has_seen(name):
        return say(
            "has no character that is seen by itself ({value}); give it a letter or a digit",
            value=shown(value),
        )
    return None


def validate_name(value: object) -> None:
    """Raise ValidationError unless `value`, once clean, can be the name of a thing of the domain."""
    fault = name_fault(value)
    if fault is not None:
        raise ValidationError(say("The name {fault}.", fault=fault), code="name")

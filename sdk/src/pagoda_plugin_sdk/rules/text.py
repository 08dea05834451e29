"""Checks of text that the database, the logs and the pages are to carry unharmed."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from django.core.exceptions import ValidationError

from pagoda_plugin_sdk.washing import shown, storable_fault

MAX_NAME_LENGTH = 200
_LISTED = 30  # names that a message lists


def listed(items: Sequence[str]) -> str:
    """Return the first items with the number of the others, for a message."""
    more = len(items) - _LISTED
    return ", ".join(items[:_LISTED]) + (f" and {more:,} more" if more > 0 else "")


def text_fault(value: object, max_length: int) -> str | None:
    """Return what is wrong with `value` as text, None when nothing is.

    NUL and lone surrogates are refused because PostgreSQL can't store them.
    """
    if not isinstance(value, str):
        return f"expected text, got {shown(value)}"
    if len(value) > max_length:
        return f"has {len(value):,} characters, at most {max_length:,} are allowed; shorten it"
    return storable_fault(value)


def name_fault(value: object) -> str | None:
    """Return what is wrong with `value` as the name of a thing of the domain, None when nothing is."""
    fault = text_fault(value, MAX_NAME_LENGTH)
    if fault is not None or not isinstance(value, str):
        return fault
    if not value.strip():
        return f"is blank ({shown(value)}); give a name of 1 to {MAX_NAME_LENGTH} characters"
    if any(unicodedata.category(character) == "Cc" for character in value):
        return f"contains a line break or another control character ({shown(value)}); remove it"
    return None


def validate_name(value: object) -> None:
    """Raise ValidationError unless `value` can be the name of a thing of the domain."""
    fault = name_fault(value)
    if fault is not None:
        raise ValidationError(f"The name {fault}.", code="name")

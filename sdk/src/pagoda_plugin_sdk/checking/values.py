"""What is wrong with the values of a plugin's settings, in words that show none of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pagoda_plugin_sdk.exceptions import near_misses

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError  # the plugin's own dependency

_HIDDEN = "[hidden]"
_SHORTEST_SECRET = 3
"""Shorter values are left in messages: hiding every "1" would make them unreadable."""


def fault_lines(error: ValidationError, values: Mapping[str, Any]) -> list[str]:
    """Return a clause for each fault of a validation, with the field's name."""
    lines = []
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        field = ".".join(str(part) for part in fault["loc"]) or "the whole"
        lines.append(f"`{field}`: {hidden(fault['msg'], values)}")
    return lines


def unknown_fields(model: type[BaseModel], values: Mapping[str, Any]) -> Iterator[str]:
    """Yield keys that the model would drop in silence, unless it says itself what to do with extras."""
    if model.model_config.get("extra") is not None:
        return
    known = {*model.model_fields, *(f.alias for f in model.model_fields.values() if f.alias)}
    for key in values:
        if key not in known:
            yield f"`{key}`: there is no such setting.{near_misses(key, known)}"


def hidden(text: str, values: object) -> str:
    """Replace each configured value that a message repeats, as it may be a secret."""
    for value in sorted(_leaves(values), key=len, reverse=True):
        if len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, _HIDDEN)
    return text


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    else:
        yield str(value)

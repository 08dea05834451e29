"""The data that a hook hands from handler to handler, and what becomes of a handler's result."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar, Self, cast
from uuid import UUID

from django.utils.functional import Promise

from pagoda_plugin_sdk.exceptions import PluginError
from pagoda_plugin_sdk.hooks import HookKind, HookSpec
from pagoda_plugin_sdk.washing import NotJson, json_value, shown, washed

_CONTAINERS = (dict, list)

_DATA: Mapping[HookKind, tuple[str, type | None]] = MappingProxyType(
    {
        HookKind.TRANSFORM: ("validated_data", dict),
        HookKind.FILTER: ("attrinfo", list),
        HookKind.VETO: ("attrs", None),
    }
)
"""``{kind: (argument that each handler gets a copy of, type of a result that replaces it, if any)}``"""


class UnusableResult(PluginError):
    """A handler returned something that its hook can't use."""

    code: ClassVar[str] = "unusable_hook_result"


def snapshot(value: Any) -> Any:
    """Return `value` with its dicts and lists copied at every depth; everything else is shared.

    Any: hook data is raw input of every type.
    """
    # Leaves are told apart before the call: there are many, and the call is what costs.
    if isinstance(value, dict):
        return {k: snapshot(item) if isinstance(item, _CONTAINERS) else item for k, item in value.items()}
    if isinstance(value, list):
        return [snapshot(item) if isinstance(item, _CONTAINERS) else item for item in value]
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRule:
    """What a hook's data is, and what may replace it."""

    place: int  # among the arguments
    expected: type | None  # of a result; None: results are ignored, the data stays
    is_shown: bool  # a client gets it

    @classmethod
    def of(cls, spec: HookSpec) -> Self | None:
        """Return the rule of a hook, None for one without data."""
        if spec.kind not in _DATA:
            return None
        argument, expected = _DATA[spec.kind]
        return cls(
            place=spec.arguments.index(argument), expected=expected, is_shown=spec.kind is HookKind.FILTER
        )

    def hand_over(
        self, function: Callable[..., Any], args: Sequence[Any], keywords: Mapping[str, Any], data: Any
    ) -> Any:
        """Call a handler with a copy of `data` of its own, and return the data to go on with.

        That is a copy of its result, of the copy that it had and may have changed where it returns None, or
        `data` itself where neither replaces it.

        Raises:
            UnusableResult: it is nothing that the hook can go on with.
        """
        given = snapshot(data)
        result = function(*args[: self.place], given, *args[self.place + 1 :], **keywords)
        if self.expected is None or (result is None and given == data):
            return data
        if result is None:
            result = given
        if not isinstance(result, self.expected):
            expected = f"expected {self.expected.__name__} or None; the data stays as it was"
            raise UnusableResult(f"returned {shown(result)}, {expected}")
        return _printable(cast("list[Any]", result)) if self.is_shown else snapshot(result)


def _printable(attrinfo: list[Any]) -> list[Any]:
    """Return a copy of the attributes as a handler left them, made of plain JSON values.

    Raises:
        UnusableResult: it can't; the message names the place.
    """
    for index, item in enumerate(attrinfo):
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise UnusableResult(
                f"returned {shown(item)} at attrinfo[{index}], expected a dict with 'name' per attribute"
            )
    try:
        text = _encode(attrinfo)  # in C, as it is done for every entry of a list
        text.encode()
    except Exception as error:
        raise UnusableResult(f"returned what no answer can hold: {_fault(attrinfo, error)}") from error
    plain: list[Any] = json.loads(text)  # what encodes the answer knows less than the encoder above, or more
    return plain


def _text_of(value: Any) -> Any:
    """Return the text that an answer shows of a value that JSON has no form for."""
    if isinstance(value, time) and value.tzinfo is not None:
        raise TypeError(f"{shown(value)} is a time of day with a time zone")
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, timedelta | Decimal | UUID | Promise):
        return str(value)
    raise TypeError(f"{shown(value)} is no JSON value")


_encode = json.JSONEncoder(default=_text_of, allow_nan=False, ensure_ascii=False).encode


def _fault(attrinfo: list[Any], error: Exception) -> str:
    """Return which value it is and what is wrong with it."""
    try:
        json_value(_with_texts(attrinfo), "attrinfo", max_bytes=sys.maxsize, setting="")
    except NotJson as fault:
        return str(fault)
    return washed(error)


def _with_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_texts(item) for item in value]
    try:
        return _text_of(value)
    except TypeError:
        return value

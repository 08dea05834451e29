"""Makes foreign text and values, those of plugins and clients, fit to be stored, logged and shown.

PostgreSQL stores no NUL, nothing encodes half of a surrogate pair, and JSON has no NaN. What somebody sends
on purpose is refused with its fault (`json_value`); what a plugin says on its way is washed (`washed`,
`washed_json`), as an error or a log line must not fail for its text. Nothing here raises what a value raises.
"""

from __future__ import annotations

import json
import math
import re
import traceback
from collections.abc import Callable
from typing import Any

from pagoda_plugin_sdk.rules.saying import say

TEXT_MAX = 2_000
"""Characters that washed text has at most, unless a caller says otherwise."""

MAX_DEPTH = 100
"""Lists and objects inside of each other that a JSON value may have."""

_MAX_INT_BITS = 1_023  # what a double holds, the number of most readers of JSON
_SHOWN_MAX = 60  # a message quotes no more of a value than this

_UNFIT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")

FILTERED = "[Filtered]"

_SECRETS = (
    # the password of a URL, as drivers quote it in their errors
    (
        re.compile(r"(?P<scheme>\b[a-zA-Z][a-zA-Z0-9+.-]{0,20}://[^\s/:@]*):[^\s/@]+@"),
        rf"\g<scheme>:{FILTERED}@",
    ),
    # our tokens, by their prefix
    (re.compile(r"pagoda_[A-Za-z0-9_-]{43}"), FILTERED),
    # an Authorization header in a text
    (re.compile(r"\b(?P<kind>Token|Bearer|Basic)\s+[A-Za-z0-9_~+/.=-]{16,}"), rf"\g<kind> {FILTERED}"),
)


class NotJson(ValueError):
    """A value that can't be kept as JSON; the message names the place, the fault and the remedy."""

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.path = ""  # grows from the inside out
        super().__init__(fault)

    def __str__(self) -> str:
        return f"{self.path} {self.fault}".strip()


class DoubledKey(ValueError):
    """An object of JSON that has a key twice, of which Python would keep the last."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(say("the key {key} is twice in one object; keep one", key=shown(key)))


def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON (Any: its values): the ``object_pairs_hook`` for what others sent.

    Raises:
        DoubledKey: a key is there twice; the message names it.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise DoubledKey(next(key for key in found if keys.count(key) > 1))
    return found


def storable_fault(text: str) -> str | None:
    """Return why no column can hold `text`, None when it can."""
    found = _UNSTORABLE.search(text)
    if found is None:
        return None
    if found[0] == "\x00":
        return say("contains a NUL character in {text}; remove it", text=shown(text))
    return say("contains half of a surrogate pair in {text}; send valid Unicode", text=shown(text))


def text_fault(value: object, max_length: int) -> str | None:
    """Return what is wrong with `value` as text, None when nothing is.

    NUL and lone surrogates are refused because PostgreSQL can't store them.
    """
    if not isinstance(value, str):
        return say("expected text, got {value}", value=shown(value))
    if len(value) > max_length:
        return say(
            "has {count:,} characters, at most {max_length:,} are allowed; shorten it",
            count=len(value),
            max_length=max_length,
        )
    return storable_fault(value)


def washed(value: object, limit: int = TEXT_MAX) -> str:
    r"""Return `value` as text of `limit` characters at most that can be stored and printed.

    Control characters, line break and tab aside, and halves of surrogate pairs show as ``\x00``, ``\ud800``.
    """
    if type(value) is str and len(value) <= limit and value.isascii() and value.isprintable():  # as most
        return value
    return _fit(_text_of(value, str), limit)


def washed_texts(**texts: tuple[object, int]) -> dict[str, str]:
    """Return each of ``name=(text, limit)`` as `washed` does."""
    return {name: washed(text, limit) for name, (text, limit) in texts.items()}


def shown(value: object) -> str:
    """Return the repr of `value` for a message, washed and shortened."""
    text = _text_of(value, repr)
    return _escaped(text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}...")


def without_secrets(text: str) -> str:
    """Return `text` without the secrets that it quotes: passwords in URLs, tokens, Authorization headers."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def washed_error(error: BaseException, limit: int = TEXT_MAX) -> str:
    """Return ``ValueError: its text``, washed and without secrets; the type alone when it says nothing."""
    name, text = _type_name(error), without_secrets(_text_of(error, str))
    return _fit(f"{name}: {text}" if text else name, limit)


def washed_traceback(error: BaseException, limit: int) -> str:
    """Return the traceback of `error`, washed, without secrets; of a long one the end, the place of it."""
    try:
        text = "".join(traceback.format_exception(error))
    except BaseException:  # noqa: BLE001 - it asks the foreign error for its parts
        text = f"<traceback of {_type_name(error)} that can't be shown>"
    text = _escaped(without_secrets(text)[-limit:])
    return text if len(text) <= limit else text[-limit:]


def json_value(value: object, name: str, *, max_bytes: int, setting: str) -> Any:
    """Return a copy of `value` made of plain dicts, lists, texts, numbers, booleans and None.

    Any: JSON. `name` begins the path in messages, `setting` sets `max_bytes`, those of its JSON text.

    Raises:
        NotJson: it holds something else, NaN, infinity, NUL, half of a surrogate pair, an integer beyond a
            double, or is too deep or too large.
    """
    try:
        copy = _Copy(max_bytes, is_strict=True).of(value, 0)
        if len(json.dumps(copy)) > max_bytes:
            raise _TooLarge
    except _TooLarge:
        error = NotJson(
            say(
                "has more than {max_bytes:,} bytes as JSON, which {setting} allows at most; shorten it",
                max_bytes=max_bytes,
                setting=setting,
            )
        )
        error.path = name
        raise error from None
    except NotJson as error:
        error.path = _fit(name + error.path, TEXT_MAX)
        raise
    return copy


def washed_json(value: object, *, max_bytes: int) -> Any:
    """Return `value` as JSON of about `max_bytes`: what is no JSON becomes text, what is too much "...".

    Any: JSON.
    """
    return _Copy(max_bytes, is_strict=False).of(value, 0)


class _TooLarge(Exception):
    """More than the bytes allowed."""


class _Copy:
    """One copy of a foreign value; the types' own methods read it, so that no foreign code runs.

    `str` of what is no JSON is the exception, in `washed`.
    """

    def __init__(self, max_bytes: int, *, is_strict: bool) -> None:
        self.left, self.is_strict = max_bytes, is_strict

    def of(self, value: object, depth: int) -> Any:
        """Return the copy of `value`, which lies in `depth` lists and objects."""
        if value is None or value is True or value is False:
            return self._paid(value, 4)
        kind = type(value)
        if issubclass(kind, str):
            return self._text(str.__str__(value))
        if issubclass(kind, int):
            return self._number(int.__int__(value))  # type: ignore[arg-type]
        if issubclass(kind, float):
            return self._number(float.__float__(value))  # type: ignore[arg-type]
        if issubclass(kind, dict | list | tuple):
            if depth >= MAX_DEPTH:
                return self._fault(f"lies more than {MAX_DEPTH} lists and objects deep, or in itself", value)
            return self._object(value, depth) if issubclass(kind, dict) else self._list(value, kind, depth)
        return self._fault(
            f"is {_type_name(value)}, no JSON value; give text, a number, a boolean, None, a list or a dict",
            value,
        )

    def _text(self, text: str) -> str:
        fault = storable_fault(text) if self.is_strict else None
        if fault is not None:
            raise NotJson(fault)
        if not self.is_strict:
            text = _fit(text, max(self.left, 0))
        self._paid(None, len(text) + 2)
        return text

    def _number(self, number: float) -> Any:
        if isinstance(number, int):
            if number.bit_length() > _MAX_INT_BITS:
                return self._fault(f"is an integer of {number.bit_length():,} bits; give it as text", number)
        elif not math.isfinite(number):
            return self._fault(f"is {number!r}, which JSON has no word for; give None or text", number)
        return self._paid(number, 1)

    def _object(self, value: Any, depth: int) -> dict[str, Any]:
        copy: dict[str, Any] = {}
        self._paid(None, 2)
        for key, item in list(dict.items(value)):
            if self.left < 0:
                copy["..."] = "..."
                break
            try:
                name = self._key(key)
                copy[name] = self.of(item, depth + 1)
            except NotJson as error:
                error.path = f"[{shown(key)}]{error.path}"
                raise
        return copy

    def _key(self, key: object) -> str:
        if not issubclass(type(key), str):
            if self.is_strict:
                raise NotJson("is no key that JSON has: its keys are text")
            return self._text(washed(key))
        return self._text(str.__str__(key))

    def _list(self, value: Any, kind: type, depth: int) -> list[Any]:
        copy: list[Any] = []
        self._paid(None, 2)
        items = list.__iter__(value) if issubclass(kind, list) else tuple.__iter__(value)
        for index, item in enumerate(items):
            if self.left < 0:
                copy.append("...")
                break
            try:
                copy.append(self.of(item, depth + 1))
            except NotJson as error:
                error.path = f"[{index}]{error.path}"
                raise
        return copy

    def _fault(self, fault: str, value: object) -> str:
        if self.is_strict:
            raise NotJson(fault)
        return self._text(washed(value))

    def _paid(self, value: Any, size: int) -> Any:
        self.left -= size  # less than its JSON has: the exact size of a strict copy is looked at in the end
        if self.left < 0 and self.is_strict:
            raise _TooLarge
        return value


def _text_of(value: object, show: Callable[[object], str]) -> str:
    if issubclass(type(value), str) and show is str:
        return str.__str__(value)
    try:
        return str.__str__(show(value))
    except BaseException as error:  # noqa: BLE001 - foreign code may raise whatever it likes
        return f"<{_type_name(value)} that can't be shown: {_type_name(error)}>"


def _type_name(value: object) -> str:
    return _escaped(type.__dict__["__name__"].__get__(type(value)))  # a metaclass may have one of its own


def _fit(text: str, limit: int) -> str:
    fit = _escaped(text[: limit + 1])
    if len(fit) <= limit:
        return fit
    mark = f"... ({len(text):,} characters)"
    if len(mark) > limit // 2:
        mark = "..."[:limit]
    return fit[: limit - len(mark)] + mark


def _escaped(text: str) -> str:
    return _UNFIT.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"

"""Bodies of requests: JSON that the rest of the way can carry."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import (  # type: ignore[attr-defined]  # the stubs are older
    JSONParser,
    get_encoding,
)
from rest_framework.utils.json import strict_constant

from pagoda_plugin_sdk.washing import DoubledKey, without_doubles


class CheckedJSONParser(JSONParser):
    """Parses JSON; what Python, the database or an answer would stumble over is refused as broken."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:  # any JSON value in fact; the stubs name the usual one
        """Return the value.

        Raises:
            ParseError: it is no JSON, or too deep, or holds a key twice, half of a surrogate pair, or a
                number that is too long; or its charset is none of text.
        """
        raw = stream.read()
        encoding = get_encoding(parser_context or {})
        try:
            parsed = _parsed(raw, encoding)
            if is_deeper(parsed, settings.PAGODA.api_max_json_depth):
                raise _too_deep()
            if b"\\ud" in raw.lower():
                json.dumps(parsed, ensure_ascii=False).encode()
        except RecursionError as error:
            raise _too_deep() from error
        except UnicodeEncodeError as error:
            raise ParseError("JSON parse error - half of a surrogate pair; send valid Unicode.") from error
        return parsed


def _parsed(raw: bytes, encoding: str) -> dict[str, Any]:  # any JSON value in fact, as above
    """Return the value, as DRF's parser, which takes a key twice in silence."""
    try:
        text = raw.decode(encoding)
        parsed: dict[str, Any] = json.loads(text, parse_constant=strict_constant, object_pairs_hook=_object)
    except ValueError as error:
        told = str(error)
        if type(error) is ValueError and "digits" in told:  # Python's own limit, told in its own words
            told = f"an integer has more than {sys.get_int_max_str_digits():,} digits; send it as text."
        elif isinstance(error, DoubledKey):
            told += "."
        raise ParseError(f"JSON parse error - {told}") from error
    return parsed


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else without_doubles(pairs)


def _too_deep() -> ParseError:
    limit = settings.PAGODA.api_max_json_depth
    return ParseError(
        f"JSON parse error - too deeply nested: at most {limit} arrays and objects inside each other."
    )


def is_deeper(value: Any, limit: int) -> bool:  # Any: a JSON value
    """Return whether arrays and objects lie more than `limit` deep in `value`; without recursion."""
    level, depth = [value], 0
    while containers := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        if depth > limit:
            return True
        level = [
            inner for each in containers for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return False

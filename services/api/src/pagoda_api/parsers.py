"""Bodies of requests: JSON that the rest of the way can carry."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


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
            ParseError: it is no JSON, or too deep, or holds half of a surrogate pair or too long a number.
        """
        raw = stream.read()
        try:
            parsed = super().parse(io.BytesIO(raw), media_type, parser_context)
            if is_deeper(parsed, settings.PAGODA.api_max_json_depth):
                raise _too_deep()
            if b"\\ud" in raw.lower():
                json.dumps(parsed, ensure_ascii=False).encode()
        except RecursionError as error:
            raise _too_deep() from error
        except ParseError as error:
            cause = error.__context__
            if type(cause) is not ValueError or "digits" not in str(cause):
                raise
            # Python's own limit, which it tells in its own words
            most = sys.get_int_max_str_digits()
            raise ParseError(
                f"JSON parse error - an integer has more than {most:,} digits; send it as text."
            ) from error
        except UnicodeEncodeError as error:
            raise ParseError("JSON parse error - half of a surrogate pair; send valid Unicode.") from error
        return parsed


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

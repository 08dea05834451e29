"""Regular expressions from clients: those that both databases read alike, in bounded time.

RE2 reads a text once, whatever the pattern, so that none can hold SQLite. PostgreSQL's own are ended by its
statement timeout (`pagoda.domain.search.bounding`); what RE2 does not know is refused there, too.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import re2

from pagoda_plugin_sdk.rules.saying import say

FUNCTION: Final = "PAGODA_REGEX"
"""How SQL on SQLite calls `matches`."""


_BOUNDARY: Final = re.compile(r"\\.", re.DOTALL)  # each escape as a whole
_LETTERS: Final = {r"\b": r"\y", r"\B": r"\Y", r"\z": r"\Z"}


@lru_cache(maxsize=100)
def _compiled(pattern: str) -> Any:  # Any: RE2 has no types
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def regex_fault(pattern: str) -> str | None:
    """Return what is wrong with a pattern, None when nothing is."""
    try:
        _compiled(pattern)
    except re2.error as error:
        told = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        return say(
            "is no regular expression (RE2, without back references and look-around): {told}", told=told
        )
    return None


def for_postgresql(pattern: str) -> str:
    """Return a pattern as PostgreSQL writes it: its word boundaries have other letters."""
    return _BOUNDARY.sub(lambda found: _LETTERS.get(found[0], found[0]), pattern)


def matches(pattern: str, text: object) -> bool:
    """Return whether a text has the pattern; nothing and what is no text has none."""
    return isinstance(text, str) and _compiled(pattern).search(text) is not None

"""Takes secrets out of events that leave the process, wherever in them they stand."""

from __future__ import annotations

import re
from typing import Any

FILTERED = "[Filtered]"

_SECRETS = (
    # the password of a URL, as drivers quote it in their errors
    (re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*):[^\s/@]+@"), rf"\g<scheme>:{FILTERED}@"),
    # our tokens, by their prefix
    (re.compile(r"pagoda_[A-Za-z0-9_-]{43}"), FILTERED),
    # an Authorization header in a text
    (re.compile(r"\b(?P<kind>Token|Bearer|Basic)\s+[A-Za-z0-9_~+/.=-]{16,}"), rf"\g<kind> {FILTERED}"),
)


def scrubbed(value: Any) -> Any:  # Any: JSON values, and what Sentry's client turns into them
    """Return `value` with the secrets in its texts replaced, at any depth."""
    match value:
        case str():
            for pattern, replacement in _SECRETS:
                value = pattern.sub(replacement, value)
            return value
        case dict():
            return {key: scrubbed(each) for key, each in value.items()}
        case list() | tuple():
            return [scrubbed(each) for each in value]
        case _:
            return value

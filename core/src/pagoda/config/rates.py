"""Rates such as ``600/min``."""

from __future__ import annotations

import re
from dataclasses import dataclass

SECONDS = {"s": 1, "min": 60, "h": 3600}

_RATE = re.compile(r"([1-9][0-9]{0,8})/(s|min|h)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many in a window of so many seconds."""

    limit: int
    seconds: int


def parse_rate(text: str) -> Rate:
    """Return the rate that `text` names, ``600/min`` say.

    Raises:
        ValueError: it names none.
    """
    found = _RATE.fullmatch(text.strip())
    if found is None:
        raise ValueError("expected a number per s, min or h, such as 600/min")
    return Rate(limit=int(found[1]), seconds=SECONDS[found[2]])


def check_rate(value: str | None) -> str | None:
    """Return `value` when it is a rate, or None.

    Raises:
        ValueError: otherwise.
    """
    if value is not None:
        parse_rate(value)
    return value

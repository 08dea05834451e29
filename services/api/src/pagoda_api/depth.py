"""How deep JSON values lie inside each other."""

from __future__ import annotations

from typing import Any


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

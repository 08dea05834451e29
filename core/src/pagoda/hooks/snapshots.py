"""Copies of hook data that protect the containers and share the leaves."""

from __future__ import annotations

from typing import Any

_CONTAINERS = (dict, list)


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

"""Copies of hook data that protect the containers and share the leaves."""

from __future__ import annotations

from typing import Any


def snapshot(value: Any) -> Any:
    """Return `value` with its dicts and lists copied at every depth; everything else is shared.

    Any: hook data is raw input of every type.
    """
    if isinstance(value, dict):
        return {key: snapshot(item) for key, item in value.items()}
    if isinstance(value, list):
        return [snapshot(item) for item in value]
    return value

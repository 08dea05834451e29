"""The entity that a hook's arguments are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pagoda_plugin_sdk.hooks import HookSpec


def entity_name_of(spec: HookSpec, args: Sequence[Any]) -> str | None:
    """Return the name of the entity that the arguments of this hook name; None when they name none.

    Any: a hook's arguments are data of every type.
    """
    given = dict(zip(spec.arguments, args, strict=False))
    for name in ("entity_name", "schema_name"):
        if name in given:
            return _text(given[name])
    if "entity" in given:
        return _text(getattr(given["entity"], "name", None))
    if "entry" in given:
        return _text(getattr(getattr(given["entry"], "schema", None), "name", None))
    data = given.get("validated_data")
    return _text(data.get("name")) if isinstance(data, dict) else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)

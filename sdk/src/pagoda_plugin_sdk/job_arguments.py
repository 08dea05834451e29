"""The two ways in which plugins call ``Job._create_new_job``."""

from __future__ import annotations

from typing import Any

from pagoda_plugin_sdk.exceptions import PluginValidationError

_SHORT = ("operation_id", "params")
_LONG = ("target", "operation", "text", "params", "depend_on")


def named_job_arguments(args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """Return by name what follows `user`: ``(operation, params)``, or ``(target, operation, text, params)``.

    A target is None or a row, an operation a number: the first argument tells which way it is. Any: as given.

    Raises:
        PluginValidationError: there are too many, or one is given twice.
    """
    names = _SHORT if args and isinstance(args[0], int) else _LONG
    by_place = dict(zip(names, args, strict=False))
    if len(args) > len(names) or by_place.keys() & named.keys():
        raise PluginValidationError(
            f"_create_new_job takes (user, {', '.join(_SHORT)}) or (user, {', '.join(_LONG)}), "
            f"each once; {len(args)} are given in this order, and {', '.join(named) or 'none'} by name."
        )
    found = {**by_place, **named}
    return {name: value for name, value in found.items() if name != "text" or value is not None}

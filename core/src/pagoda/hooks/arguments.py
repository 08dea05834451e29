"""Bring the arguments of `execute_hook` into the order of the hook's spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pagoda.hooks.errors import HookArgumentsError
from pagoda_plugin_sdk.hooks import HookSpec


def bind(
    spec: HookSpec, args: Sequence[Any], keywords: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the positional arguments and what is left of `keywords`: the context.

    Any: a hook's arguments and context are data of every type.

    Raises:
        HookArgumentsError: one is missing, given twice, or one too many.
    """
    names = spec.arguments
    if len(args) > len(names):
        raise _wrong(spec, f"{len(args)} positional arguments were given")
    by_position, by_keyword = names[: len(args)], names[len(args) :]
    twice = [name for name in by_position if name in keywords]
    if twice:
        raise _wrong(spec, f"{', '.join(map(repr, twice))} was given twice")
    missing = [name for name in by_keyword if name not in keywords]
    if missing:
        raise _wrong(spec, f"{', '.join(map(repr, missing))} is missing")
    context = {name: value for name, value in keywords.items() if name not in names}
    return (*args, *(keywords[name] for name in by_keyword)), context


def _wrong(spec: HookSpec, fault: str) -> HookArgumentsError:
    return HookArgumentsError(
        f"Hook {spec.name!r} was executed wrongly: {fault}. Expected: ({', '.join(spec.arguments)})."
    )

"""What a hook is executed with: its arguments, the entity they name, and the context."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pagoda.hooks.records import Handler
from pagoda_plugin_sdk.exceptions import PagodaError
from pagoda_plugin_sdk.hooks import HookSpec, entity_name_of


class HookArgumentsError(PagodaError):
    """A hook was executed with other arguments than its spec names."""

    code: ClassVar[str] = "hook_arguments"


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


def bound(
    spec: HookSpec, args: tuple[Any, ...], keywords: dict[str, Any], entity_name: str | None
) -> tuple[tuple[Any, ...], dict[str, Any], str | None]:
    """Return the hook's arguments in order, the context, and the entity whose handlers run."""
    if entity_name is not None and "entity_name" in spec.arguments[len(args) :]:
        keywords["entity_name"] = entity_name
    bound, context = bind(spec, args, keywords)
    return bound, context, entity_name_of(spec, bound) if entity_name is None else str(entity_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextRule:
    """Which context keywords a handler takes, decided once from its signature."""

    takes_all: bool  # it declares **kwargs
    names: frozenset[str]  # parameters that only a keyword can fill
    occupied: frozenset[str]  # parameters that the hook's arguments fill

    @classmethod
    def of(cls, spec: HookSpec, handler: Handler) -> Self:
        """Return the rule of a handler whose signature was checked against `spec`."""
        parameters = list(inspect.signature(handler).parameters.values())
        positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        filled = frozenset(p.name for p in positional[: len(spec.arguments)])
        by_keyword = frozenset(
            p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        )
        return cls(
            takes_all=any(p.kind is p.VAR_KEYWORD for p in parameters),
            names=by_keyword - filled,
            occupied=filled,
        )

    def select(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the part of `context` to call the handler with. Any: context is open."""
        if self.takes_all:
            return {name: value for name, value in context.items() if name not in self.occupied}
        return {name: context[name] for name in self.names & context.keys()}

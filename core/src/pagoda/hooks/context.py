"""Which context keywords go to which handler."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pagoda.hooks.records import Handler
from pagoda_plugin_sdk.hooks import HookSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextRule:
    """Which context keywords a handler takes, decided once from its signature."""

    takes_all: bool  # it declares **kwargs
    names: frozenset[str]  # parameters that only a keyword can fill
    occupied: frozenset[str]  # parameters that the hook's arguments fill

    def select(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the part of `context` to call the handler with. Any: context is open."""
        if self.takes_all:
            return {name: value for name, value in context.items() if name not in self.occupied}
        return {name: context[name] for name in self.names & context.keys()}


def context_rule(spec: HookSpec, handler: Handler) -> ContextRule:
    """Return the rule of a handler whose signature was checked against `spec`."""
    parameters = list(inspect.signature(handler).parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    filled = frozenset(p.name for p in positional[: len(spec.arguments)])
    by_keyword = frozenset(p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
    return ContextRule(
        takes_all=any(p.kind is p.VAR_KEYWORD for p in parameters),
        names=by_keyword - filled,
        occupied=filled,
    )

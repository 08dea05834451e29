"""What the hook manager knows of one handler."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pagoda_plugin_sdk.hooks import HookSpec

type Handler = Callable[..., Any]  # a hook's arguments and result are data of every type


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HandlerRecord:
    """One registered handler. Two records are never equal, even of one function."""

    hook: str  # canonical name, never an alias
    plugin_id: str  # "" for a handler of the host itself
    entity: str | None  # name of the only entity it handles; None: all
    priority: int  # lower runs first
    plugin_order: int  # place of the plugin in load order
    position: int  # definition order, counted over all registrations
    deferred: bool  # runs in the plugin's own queue after commit
    handler: Handler
    context: ContextRule

    @property
    def order(self) -> tuple[int, int, int]:
        """Return the sort key of the total order of handlers."""
        return self.priority, self.plugin_order, self.position

    @property
    def name(self) -> str:
        """Return the handler's qualified name, as ``InventoryPlugin.on_create``."""
        return str(getattr(self.handler, "__qualname__", None) or repr(self.handler))

    @property
    def key(self) -> str:
        """Return a name of the handler that is the same in every process, as a job needs it."""
        return f"{self.plugin_id}:{self.hook}:{self.name}"

    def handles(self, entity_name: str | None) -> bool:
        """Return whether it runs for this entity; None stands for an entity without a name yet."""
        return self.entity is None or self.entity == entity_name

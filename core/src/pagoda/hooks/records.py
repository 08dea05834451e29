"""What the hook manager knows of one handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

type Handler = Callable[..., Any]  # a hook's arguments and result are data of every type


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class HandlerRecord:
    """One registered handler. Two records are never equal, even of one function."""

    hook: str  # canonical name, never an alias
    plugin_id: str  # "" for a handler of the host itself
    entity: str | None  # name of the only entity it handles; None: all
    priority: int  # lower runs first
    plugin_order: int  # place of the plugin in load order
    position: int  # definition order, counted over all registrations
    deferred: bool  # runs in the plugin's own queue after commit
    fail_closed: bool = False  # of a validation: without its verdict the write is refused
    handler: Handler
    twin: int = 0  # how many of this plugin, hook and name were registered before: a factory makes several

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
        twin = f"#{self.twin}" if self.twin else ""
        return f"{self.plugin_id}:{self.hook}:{self.name}{twin}"

    def is_twin_of(self, other: HandlerRecord) -> bool:
        """Return whether plugin, hook and name don't tell the two apart."""
        return (self.plugin_id, self.hook, self.name) == (other.plugin_id, other.hook, other.name)

    def handles(self, entity_name: str | None) -> bool:
        """Return whether it runs for this entity; None stands for an entity without a name yet."""
        return self.entity is None or self.entity == entity_name

"""Find the handlers that run for an entity, once per entity and registration."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

from pagoda.hooks.chain import Chain
from pagoda.hooks.compiled import Runner
from pagoda.hooks.records import HandlerRecord
from pagoda_plugin_sdk.hooks import HookSpec

MAX_NAMES = 4096
"""How many entities are remembered per hook; the others are looked up each time."""


class Dispatcher:
    """The chains of one hook by entity name.

    ``runners[entity_name]`` is all that the bridge does per change; `resolve` fills it. It is one dictionary
    for ever, emptied when handlers come or go.
    """

    def __init__(
        self, spec: HookSpec, records: list[HandlerRecord], build: Callable[[HookSpec, str | None], Chain]
    ) -> None:
        self.spec = spec
        self.runners: dict[str | None, Runner] = {}
        self._records = records  # of this hook, kept in order by the manager
        self._build = build
        self._chains: dict[str | None, Chain] = {}
        self._lock = Lock()

    @property
    def has_handlers(self) -> bool:
        """Return whether any handler is registered, for whatever entity."""
        return bool(self._records)

    def __call__(self, entity_name: str | None, *args: Any) -> Any:
        """Run the handlers for this entity and return the hook's data, if it has any.

        Any: a hook's arguments and result are data of every type.
        """
        return self.resolve(entity_name)(*args)

    def resolve(self, entity_name: str | None) -> Runner:
        """Return the function that runs the handlers for this entity; it takes the hook's arguments."""
        try:
            return self.runners[entity_name]
        except KeyError:
            with self._lock:
                runner = self._chain(entity_name).run
                if len(self.runners) < MAX_NAMES:
                    self.runners[entity_name] = runner
            return runner

    def chain(self, entity_name: str | None) -> Chain:
        """Return the handlers for this entity."""
        with self._lock:
            return self._chain(entity_name)

    def reset(self) -> None:
        """Forget all chains, as handlers came or went."""
        with self._lock:
            self.runners.clear()
            for chain in self._chains.values():
                chain.dissolve()
            self._chains.clear()

    def _chain(self, entity_name: str | None) -> Chain:
        """Return the entity's chain; entities without handlers of their own share that of None."""
        has_own = entity_name is not None and any(record.entity == entity_name for record in self._records)
        key = entity_name if has_own else None
        if key not in self._chains:
            self._chains[key] = self._build(self.spec, key)
        return self._chains[key]

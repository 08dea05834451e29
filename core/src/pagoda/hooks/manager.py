"""The hook manager: holds the handlers, and is the door to them. A process has one, made at its start."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from threading import Lock
from typing import Any, ClassVar

from pagoda import running
from pagoda.hooks.dispatch import Chain, Dispatch, Hook
from pagoda.hooks.fence import FailureListener, Step
from pagoda.hooks.records import (
    Explanation,
    Handler,
    HandlerCounts,
    HandlerRecord,
    HandlerStatistics,
    checked_record,
    explain,
)
from pagoda.hooks.rejections import refuse_unseen
from pagoda_plugin_sdk.exceptions import PagodaError
from pagoda_plugin_sdk.hooks import HOOK_SPECS, HookSpec, resolve_hook_name
from pagoda_plugin_sdk.rules.text import clean_name

type Deferrer = Callable[[HandlerRecord, HookSpec, tuple[Any, ...]], None]  # Any: the hook's arguments

MAX_CHAINS = 4096
"""How many entities a hook remembers; for others it looks up each time who runs."""


class HooksNotStarted(PagodaError):
    """The process's hook manager was asked for before Django was set up."""

    code: ClassVar[str] = "hooks_not_started"


class HookManager(Dispatch):
    """The handlers of all hooks, in their total order: (priority, plugin load order, definition order).

    Hooks may be named by their aliases everywhere. Dispatch is safe in threads, also while handlers come and
    go: a dispatch runs the handlers that were registered when it began.

    Any below: a hook's arguments, context and results are data of every type.
    """

    def __init__(self, timeout_seconds: float = 2.0) -> None:
        if timeout_seconds <= 0:
            raise ValueError(f"timeout_seconds is {timeout_seconds!r}, expected more than 0")
        super().__init__()
        self._hooks = {name: self._by_name[name].records for name in HOOK_SPECS}
        self._counts: dict[HandlerRecord, HandlerCounts] = {}
        self._positions = count()
        self._lock = Lock()
        self._deferrer: Deferrer | None = None
        self._out_of_service: frozenset[str] = frozenset()
        self._seconds = timeout_seconds

    def open(self) -> None:
        """Watch the database connections, so that handlers get savepoints; dispatch works without, too."""
        self.budget.open()

    def close(self) -> None:
        """Let go of connections and threads; for a manager that is to be thrown away."""
        self.budget.close()

    def register_hook(
        self,
        hook_name: str,
        handler: Handler,
        *,
        plugin_id: str = "",
        entity: str | None = None,
        priority: int = 100,
        plugin_order: int = 0,
        deferred: bool = False,
        fail_closed: bool = False,
    ) -> HandlerRecord:
        """Register a handler, a function or a bound method, and return its record.

        `entity` limits it to one entity by name; `deferred` hands it to a job after commit; `fail_closed` has
        a validation that fails, or is out of service, refuse the write.

        Raises:
            UnknownHook: `hook_name` is neither a hook nor an alias.
            PluginValidationError: the handler can't take the hook's arguments, or a value is not allowed.
        """
        record = checked_record(
            hook_name,
            handler,
            plugin_id=plugin_id,
            entity=entity,
            priority=priority,
            plugin_order=plugin_order,
            position=next(self._positions),
            deferred=deferred,
            fail_closed=fail_closed,
        )
        with self._lock:
            hook = self._by_name[record.hook]
            record = replace(record, twin=sum(map(record.is_twin_of, hook.records)))
            insort(hook.records, record, key=_order)
            self._counts[record] = HandlerCounts()
            hook.reset()
        return record

    def unregister_plugin(self, plugin_id: str) -> int:
        """Take out every handler of this plugin and return how many there were."""
        gone = [record for record in self.records() if record.plugin_id == plugin_id]
        with self._lock:
            for record in gone:
                hook = self._by_name[record.hook]
                hook.records.remove(record)
                hook.reset()
                del self._counts[record]
        return len(gone)

    def has_handlers(self, hook_name: str) -> bool:
        """Return whether a hook has any handler, for whatever entity."""
        return bool(self._by_name[hook_name].records)

    def handlers(self, hook_name: str, entity_name: str | None = None) -> tuple[HandlerRecord, ...]:
        """Return the handlers that run for this entity, in order; None: those for all entities."""
        return tuple(record for record in self._records_of(hook_name) if record.handles(entity_name))

    def records(self) -> tuple[HandlerRecord, ...]:
        """Return every handler, by hook and in order."""
        with self._lock:
            return tuple(record for records in self._hooks.values() for record in records)

    def find(self, key: str) -> HandlerRecord | None:
        """Return the handler with this `HandlerRecord.key`, as a job finds it in another process."""
        return next((record for record in self.records() if record.key == key), None)

    def explain(self, hook_name: str, entity_name: str | None = None) -> tuple[Explanation, ...]:
        """Return each handler of a hook with its place for this entity, or the reason why it does not run."""
        return tuple(explain(self._records_of(hook_name), entity_name))

    def statistics(self, record: HandlerRecord) -> HandlerStatistics:
        """Return what a registered handler did in this process.

        Raises:
            KeyError: the handler is not registered.
        """
        counts = self._counts[record]
        self._by_name[record.hook].count()
        return counts.statistics()

    def set_failure_listener(self, listener: FailureListener | None) -> None:
        """Set what is told of each failure that was contained."""
        self._fence.on_failure = listener

    def set_out_of_service(self, plugin_ids: frozenset[str]) -> None:
        """Skip the handlers of these plugins alone; their validations that fail closed refuse writes."""
        with self._lock:
            self._out_of_service = plugin_ids
            for hook in self._by_name.values():
                hook.reset()

    def set_deferrer(self, deferrer: Deferrer | None) -> None:
        """Set what takes a deferred handler instead of its being run; None: it is run at once.

        It is called with the handler's record, the hook's spec and the arguments, inside the change's
        transaction.
        """
        self._deferrer = deferrer

    def _records_of(self, hook_name: str) -> tuple[HandlerRecord, ...]:
        with self._lock:
            return tuple(self._hooks[resolve_hook_name(hook_name)])

    def chain(self, hook_name: str, entity_name: str | None) -> Chain:
        """Return the handlers for an entity, and keep them; those without handlers of their own share one."""
        hook = self._by_name[hook_name]
        entity_name = None if entity_name is None else str(entity_name)  # what a plugin gave may be no text
        named = clean_name(entity_name)
        with self._lock:
            chains = hook.chains
            is_named = named is not None and any(r.entity == named for r in hook.records)
            key = named if is_named else None
            chain = chains.get(key) or self._make_chain(hook, key)
            chains[key] = chain
            if len(chains) < MAX_CHAINS:
                chains[entity_name] = chain
        return chain

    def _make_chain(self, hook: Hook, entity_name: str | None) -> Chain:
        records = [record for record in hook.records if record.handles(entity_name)]
        served = [r for r in records if r.fail_closed or r.plugin_id not in self._out_of_service]
        steps = [
            Step(record, self._function(record, hook.spec), self._counts[record], self._seconds)
            for record in served
        ]
        absent = [self._counts[record] for record in records if record not in served]
        return Chain(hook.spec, steps, absent)

    def _function(self, record: HandlerRecord, spec: HookSpec) -> Handler:
        if record.plugin_id in self._out_of_service:
            return partial(refuse_unseen, record)
        return partial(self._hand_over, record, spec) if record.deferred else record.handler

    def _hand_over(self, record: HandlerRecord, spec: HookSpec, *args: Any, **context: Any) -> None:
        if self._deferrer is None:
            record.handler(*args, **context)
        else:
            self._deferrer(record, spec, args)


def _order(record: HandlerRecord) -> tuple[int, int, int]:
    return record.order


class _HooksOfProcess:
    """Holds the process's manager."""

    manager: HookManager | None = None


def manager() -> HookManager:
    """Return the process's hook manager.

    Raises:
        HooksNotStarted: Django is not set up, or `pagoda.hooks` is no installed app.
    """
    if _HooksOfProcess.manager is None:
        raise HooksNotStarted(
            "The hook manager does not exist yet. It is made when Django starts: call django.setup() with "
            "'pagoda.hooks' in INSTALLED_APPS first."
        )
    return _HooksOfProcess.manager


def install(new: HookManager | None) -> HookManager | None:
    """Make `new` the process's manager and return the one it replaces."""
    replaced, _HooksOfProcess.manager = _HooksOfProcess.manager, new
    running.fences.local = None if new is None else new.budget.local
    return replaced

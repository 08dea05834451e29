"""The hook manager: holds the handlers and runs them."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import count
from threading import Lock
from typing import Any

from pagoda.hooks.arguments import bind
from pagoda.hooks.chain import Chain
from pagoda.hooks.counts import HandlerCounts, HandlerStatistics
from pagoda.hooks.dispatcher import Dispatcher
from pagoda.hooks.explanations import Explanation, explain
from pagoda.hooks.fence import FailureListener, Fence, Step
from pagoda.hooks.guard import QueryGuard
from pagoda.hooks.records import Handler, HandlerRecord
from pagoda.hooks.registration import checked_record
from pagoda.hooks.rejections import refuse_unseen
from pagoda.hooks.subjects import entity_name_of
from pagoda.hooks.watchdog import Watchdog
from pagoda_plugin_sdk.hooks import HOOK_SPECS, HookSpec, resolve_hook_name

type Deferrer = Callable[[HandlerRecord, HookSpec, tuple[Any, ...]], None]  # Any: the hook's arguments


class HookManager:
    """The handlers of all hooks, in their total order: (priority, plugin load order, definition order).

    Hooks may be named by their aliases everywhere. Dispatch is safe in threads, also while handlers come and
    go: a dispatch runs the handlers that were registered when it began.

    Any below: a hook's arguments, context and results are data of every type.
    """

    def __init__(self, timeout_seconds: float = 2.0) -> None:
        if timeout_seconds <= 0:
            raise ValueError(f"timeout_seconds is {timeout_seconds!r}, expected more than 0")
        self._hooks: dict[str, list[HandlerRecord]] = {name: [] for name in HOOK_SPECS}
        self._counts: dict[HandlerRecord, HandlerCounts] = {}
        self._positions = count()
        self._lock = Lock()
        self._deferrer: Deferrer | None = None
        self._out_of_service: frozenset[str] = frozenset()
        self._watchdog = Watchdog(timeout_seconds)
        self._fence = Fence(self._watchdog)
        self._guard = QueryGuard(self._watchdog.threads, timeout_seconds)
        self._dispatchers = {
            spec.name: Dispatcher(spec, self._hooks[spec.name], self._chain) for spec in HOOK_SPECS.values()
        }

    def open(self) -> None:
        """Watch the database connections, so that handlers get savepoints; dispatch works without, too."""
        self._guard.put_on_all()

    def close(self) -> None:
        """Let go of connections and threads; for a manager that is to be thrown away."""
        self._guard.take_off()
        self._watchdog.stop()

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
            handlers = self._hooks[record.hook]
            record = replace(record, twin=sum(map(record.is_twin_of, handlers)))
            insort(handlers, record, key=_order)
            self._counts[record] = HandlerCounts()
        self._dispatchers[record.hook].reset()
        return record

    def unregister_plugin(self, plugin_id: str) -> int:
        """Take out every handler of this plugin and return how many there were."""
        gone = [record for record in self.records() if record.plugin_id == plugin_id]
        with self._lock:
            for record in gone:
                self._hooks[record.hook].remove(record)
        for hook in {record.hook for record in gone}:
            self._dispatchers[hook].reset()
        for record in gone:
            del self._counts[record]
        return len(gone)

    def execute_hook(self, hook_name: str, *args: Any, entity_name: str | None = None, **context: Any) -> Any:
        """Run the handlers of a hook; return the data of a transform or filter hook, else None.

        The hook's arguments come in its order or by name; other keywords are context, for the handlers that
        take them. Handlers are chosen by `entity_name`, or else by the entity that the arguments name.

        Raises:
            UnknownHook: `hook_name` is neither a hook nor an alias.
            HookArgumentsError: an argument is missing, given twice, or one too many.
            RejectedByPlugin: a handler refused the write.
        """
        dispatcher = self.dispatcher(hook_name)
        spec = dispatcher.spec
        if entity_name is not None and "entity_name" in spec.arguments[len(args) :]:
            context["entity_name"] = entity_name
        bound, rest = bind(spec, args, context)
        chosen = entity_name if entity_name is not None else entity_name_of(spec, bound)
        return dispatcher.chain(chosen).run_with(bound, rest)

    def run_within[T](self, timeout_seconds: float, function: Callable[..., T], *args: Any) -> T:
        """Call a function that is no handler, a plugin's view, with a time budget of its own.

        Raises:
            HookTimeout: it ran longer and was cut off, as handlers are.
        """
        depth = self._watchdog.begin(timeout_seconds)
        try:
            return function(*args)
        finally:
            self._fence.leave(depth)

    def dispatcher(self, hook_name: str) -> Dispatcher:
        """Return the fast way into one hook; it stays valid while handlers come and go."""
        return self._dispatchers[resolve_hook_name(hook_name)]

    def handlers(self, hook_name: str, entity_name: str | None = None) -> tuple[HandlerRecord, ...]:
        """Return the handlers that run for this entity, in order; None: those for all entities."""
        return tuple(record for record in self._all(hook_name) if record.handles(entity_name))

    def records(self) -> tuple[HandlerRecord, ...]:
        """Return every handler, by hook and in order."""
        with self._lock:
            return tuple(record for records in self._hooks.values() for record in records)

    def find(self, key: str) -> HandlerRecord | None:
        """Return the handler with this `HandlerRecord.key`, as a job finds it in another process."""
        return next((record for record in self.records() if record.key == key), None)

    def explain(self, hook_name: str, entity_name: str | None = None) -> tuple[Explanation, ...]:
        """Return each handler of a hook with its place for this entity, or the reason why it does not run."""
        return tuple(explain(self._all(hook_name), entity_name))

    def statistics(self, record: HandlerRecord) -> HandlerStatistics:
        """Return what a registered handler did in this process.

        Raises:
            KeyError: the handler is not registered.
        """
        return self._counts[record].statistics()

    def set_failure_listener(self, listener: FailureListener | None) -> None:
        """Set what is told of each failure that was contained."""
        self._fence.on_failure = listener

    def set_out_of_service(self, plugin_ids: frozenset[str]) -> None:
        """Skip the handlers of these plugins alone; their validations that fail closed refuse writes."""
        changed = self._out_of_service ^ plugin_ids
        self._out_of_service = plugin_ids
        for hook in {record.hook for record in self.records() if record.plugin_id in changed}:
            self._dispatchers[hook].reset()

    def set_deferrer(self, deferrer: Deferrer | None) -> None:
        """Set what takes a deferred handler instead of its being run; None: it is run at once."""
        self._deferrer = deferrer

    def _all(self, hook_name: str) -> Iterable[HandlerRecord]:
        with self._lock:
            return tuple(self._hooks[resolve_hook_name(hook_name)])

    def _chain(self, spec: HookSpec, entity_name: str | None) -> Chain:
        records = self.handlers(spec.name, entity_name)
        served = [r for r in records if r.fail_closed or r.plugin_id not in self._out_of_service]
        steps = [Step(record=r, function=self._function(r, spec), counts=self._counts[r]) for r in served]
        passed_by = [self._counts[record] for record in records if record not in served]
        return Chain(spec, steps, self._fence, passed_by)

    def _function(self, record: HandlerRecord, spec: HookSpec) -> Handler:
        if record.plugin_id in self._out_of_service:
            return partial(refuse_unseen, record)
        if not record.deferred:
            return record.handler

        def hand_over(*args: Any, **context: Any) -> None:
            if self._deferrer is None:
                record.handler(*args, **context)
            else:
                self._deferrer(record, spec, args)

        return hand_over


def _order(record: HandlerRecord) -> tuple[int, int, int]:
    return record.order

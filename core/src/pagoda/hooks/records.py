"""What the hook manager knows of one handler: what it is, what it did, and why it runs or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pagoda_plugin_sdk.exceptions import PluginValidationError
from pagoda_plugin_sdk.hooks import HOOK_SPECS, HookKind, check_signature, resolve_hook_name
from pagoda_plugin_sdk.rules.text import clean_name

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
        return self.entity is None or self.entity == clean_name(entity_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerStatistics:
    """What one handler did in this process."""

    calls: int
    failures: int  # contained, timeouts among them
    timeouts: int  # cut off
    rejected: int  # writes refused
    skipped: int  # dispatches without it: ended before its turn, or it was out of service
    timed_calls: int  # a sample, see `pagoda.hooks.dispatch`
    mean_seconds: float | None  # of the timed calls; None before the first


class HandlerCounts:
    """The counters behind one handler's statistics.

    ``counts.calls += 1`` is exact in threads too: CPython switches them at calls and backward jumps alone.
    """

    __slots__ = ("calls", "failures", "rejected", "skipped", "timed_calls", "timed_ns", "timeouts")

    def __init__(self) -> None:
        self.calls = self.failures = self.timeouts = self.rejected = self.skipped = 0
        self.timed_calls = self.timed_ns = 0

    def statistics(self) -> HandlerStatistics:
        """Return the figures as of now."""
        return HandlerStatistics(
            calls=self.calls,
            failures=self.failures,
            timeouts=self.timeouts,
            rejected=self.rejected,
            skipped=self.skipped,
            timed_calls=self.timed_calls,
            mean_seconds=self.timed_ns / self.timed_calls / 1e9 if self.timed_calls else None,
        )


def checked_record(
    hook_name: str,
    handler: Handler,
    *,
    plugin_id: str,
    entity: str | None,
    priority: int,
    plugin_order: int,
    position: int,
    deferred: bool,
    fail_closed: bool = False,
) -> HandlerRecord:
    """Return the record of a handler.

    Raises:
        UnknownHook: `hook_name` is neither a hook nor an alias.
        PluginValidationError: the handler can't take the hook's arguments, or a value is not what the hook
            allows.
    """
    spec = HOOK_SPECS[resolve_hook_name(hook_name)]
    if not callable(handler):
        raise _wrong(spec.name, f"handler is {handler!r}, expected a function or a bound method")
    check_signature(spec, handler)
    _check_type(spec.name, "priority", priority, int)
    _check_type(spec.name, "plugin_order", plugin_order, int)
    if entity is not None:
        _check_type(spec.name, "entity", entity, str)
    if deferred and not spec.is_after:
        raise _wrong(
            spec.name,
            "deferred=True is given, but its result is needed before the write; only after-hooks defer",
        )
    return HandlerRecord(
        hook=spec.name,
        plugin_id=plugin_id,
        entity=clean_name(entity),
        priority=priority,
        plugin_order=plugin_order,
        position=position,
        deferred=deferred,
        fail_closed=fail_closed and spec.kind is HookKind.VETO,
        handler=handler,
    )


def _check_type(hook: str, name: str, value: Any, expected: type) -> None:
    """Any: the value is what is being checked."""
    if not isinstance(value, expected) or isinstance(value, bool):
        raise _wrong(hook, f"{name} is {value!r}, expected {expected.__name__}")


def _wrong(hook: str, fault: str) -> PluginValidationError:
    return PluginValidationError(f"Handler of hook {hook!r}: {fault}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One handler of a hook, seen from one entity."""

    record: HandlerRecord
    place: int | None  # 1 runs first; None: it does not run for this entity
    reason: str


def explain(records: Iterable[HandlerRecord], entity_name: str | None) -> Iterator[Explanation]:
    """Yield an explanation per handler, in the order in which handlers run; `records` are in that order."""
    place = 0
    for record in records:
        if record.handles(entity_name):
            place += 1
            yield Explanation(record=record, place=place, reason=_why(record))
        else:
            yield Explanation(
                record=record, place=None, reason=f"handles entity {record.entity!r}, not {entity_name!r}"
            )


def _why(record: HandlerRecord) -> str:
    entity = "all entities" if record.entity is None else f"entity {record.entity!r}"
    deferred = ", in a job after commit" if record.deferred else ""
    return f"priority {record.priority}, plugin {record.plugin_order} in load order, {entity}{deferred}"

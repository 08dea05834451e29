"""How a hook's handlers are run: the one loop, in the thread of the change.

What handlers do to the host's objects in memory is undone around it, and where one of them fails.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any, ClassVar

from django.db import DatabaseError
from django.db.models import Model
from django.utils.functional import LazyObject

from pagoda.budget import TimeBudget, cutting
from pagoda.budget.frames import Frame
from pagoda.hooks.arguments import bound
from pagoda.hooks.fence import Fence, Step
from pagoda.hooks.records import HandlerCounts, HandlerRecord
from pagoda.hooks.results import DataRule
from pagoda_plugin_sdk.exceptions import PagodaError
from pagoda_plugin_sdk.hooks import HOOK_ALIASES, HOOK_SPECS, HookSpec, entity_name_of, resolve_hook_name

cutting.spare(Path(__file__).parent)

_MEMORY = "_pagoda_memory"  # on an object, while handlers have it: what it was before, whether it is pending

MAX_DEPTH = 8
"""How deep handlers nest whose writes start handlers."""

TIMED = 63
"""Of each so many dispatches of a notification, and one, all calls are timed, and all of hooks with data: a
look at the clock costs as much as a call."""


class HookDepthExceeded(PagodaError):
    """Handlers whose writes start handlers are nested too deeply: most likely one of them starts itself."""

    code: ClassVar[str] = "hook_depth_exceeded"


class Chain:
    """The handlers of one hook for one entity, in their order."""

    __slots__ = ("absent", "is_plain", "place", "rule", "runs", "steps")

    def __init__(self, spec: HookSpec, steps: Sequence[Step], absent: Sequence[HandlerCounts]) -> None:
        """`absent` are the counts of handlers that are out of service."""
        self.steps = tuple(steps)
        self.absent = tuple(absent)
        self.rule = DataRule.of(spec)
        self.place = None  # of the data that is returned
        if self.rule is not None and self.rule.expected is not None:
            self.place = self.rule.place
        self.is_plain = (
            self.rule is None and len(spec.arguments) == 3
        )  # no data, and as many arguments as most
        self.runs = 0  # dispatches that are not counted for the handlers yet

    def count(self) -> None:
        """Count for each handler the dispatches since this was last called."""
        runs, self.runs = self.runs, 0
        for step in self.steps if runs else ():
            step.counts.calls += runs
        for counts in self.absent if runs else ():
            counts.skipped += runs

    def skip_after(self, last: Step | None) -> None:
        """Count for the handlers behind `last`, for all where there is none, that they were not called."""
        position = 0 if last is None else self.steps.index(last) + 1
        for step in self.steps[position:]:
            step.counts.calls -= 1
            step.counts.skipped += 1


class Hook:
    """One hook: its handlers, in order, and those that run for an entity, once they were looked up."""

    __slots__ = ("arity", "chains", "names_entity", "records", "spec")

    def __init__(self, spec: HookSpec) -> None:
        self.spec = spec
        self.arity = len(spec.arguments)
        self.names_entity = spec.arguments[0] == "entity_name"
        self.records: list[HandlerRecord] = []
        self.chains: dict[str | None, Chain] = {}

    def count(self) -> None:
        """Count the calls of its handlers up to now."""
        for chain in set(self.chains.values()):
            chain.count()

    def reset(self) -> None:
        """Forget who runs, as handlers come, go or are out of service."""
        self.count()
        self.chains = {}


class Dispatch:
    """Runs handlers. Any below: a hook's arguments, context and data are of every type."""

    def __init__(self) -> None:
        self.budget = TimeBudget()
        self._local = self.budget.local
        self._fence = Fence()
        by_name = {name: Hook(spec) for name, spec in HOOK_SPECS.items()}
        self._by_name = by_name | {alias: by_name[name] for alias, name in HOOK_ALIASES.items()}

    def execute_hook(  # noqa: C901, PLR0912, PLR0915 - in one piece: a call costs as much as a handler
        self, hook_name: str, *args: Any, entity_name: str | None = None, **context: Any
    ) -> Any:
        """Run the handlers of a hook; return the data of a transform or filter hook, else None.

        Its arguments come in its order or by name, other keywords are context. Those handlers run that are
        for all entities or for `entity_name`, which is else the entity that the arguments name.

        Raises:
            UnknownHook, HookArgumentsError: there is no such hook, or it has other arguments.
            RejectedByPlugin: a handler refused the write.
            HookDepthExceeded: handlers' writes start handlers too often.
        """
        try:
            hook = self._by_name[hook_name]
            if context or len(args) != hook.arity:
                args, context, entity_name = bound(hook.spec, args, context, entity_name)
            elif entity_name is None:
                entity_name = args[0] if hook.names_entity else entity_name_of(hook.spec, args)
            chain = hook.chains[entity_name]
        except (KeyError, TypeError):  # an unknown hook, a new entity, no name
            chain = self.chain(resolve_hook_name(hook_name), entity_name)
        runs = chain.runs
        chain.runs = runs + 1  # exact in threads: CPython switches them at calls and backward jumps alone
        if not chain.steps:
            return None if chain.place is None else args[chain.place]
        data = kept = None
        if is_plain := chain.is_plain and runs & TIMED and not context:
            first, second, third = args
        elif chain.rule is not None:
            data = kept = args[chain.rule.place]
        try:
            frame = self._local.frame
            if frame.running is not None:
                frame = self._nested(chain)
        except AttributeError:
            frame = self.budget.enter()  # the thread's first
        try:
            for step in chain.steps:
                frame.running = step
                try:
                    if is_plain:  # a notification of an entry's change, as most are
                        step.function(first, second, third)
                    else:
                        kept = _timed(step, args, context, chain.rule, data)
                    if frame.savepoints is not None:
                        self._fence.settle(frame)
                    data = kept
                except BaseException as error:  # noqa: BLE001 - the fence: it is recorded, or raised on
                    self._fence.contain(step, frame, args, error)
                    _restore(args)  # the next handler finds the objects as they were
        except BaseException:
            chain.skip_after(step)
            raise
        finally:
            frame.running = None
            if frame.outer is not None:
                self.budget.leave(frame)
        return None if chain.place is None else data

    def execute_remembering(
        self, objects: Sequence[object], hook_name: str, *args: Any, entity_name: str, is_pending: bool
    ) -> Any:
        """Run the handlers of a hook for an entity as `execute_hook` does, and remember `objects` meanwhile.

        Inside, a handler that fails has its changes of the objects undone. At the end what handlers changed
        of fields in memory, and nobody stored, is undone, so that the host goes on with what is stored. With
        `is_pending` the objects may hold what the host is about to store, and keep it.
        """
        chain = self._chain_of(hook_name, entity_name)
        kept = [held for held in map(_loaded, objects) if held is not None] if chain.steps else []
        outer = [held.__dict__.get(_MEMORY) for held in kept]
        for held in kept:
            held.__dict__[_MEMORY] = (held.__dict__.copy(), is_pending)
        try:
            return self.execute_hook(hook_name, *args, entity_name=entity_name)
        finally:
            for held, memory in zip(kept, outer, strict=True):
                before, _ = held.__dict__.pop(_MEMORY)
                if memory is not None:
                    held.__dict__[_MEMORY] = memory
                _reset_fields(held, _changed(held, before), before, is_pending=is_pending)

    def heard(self, hook_names: Collection[str], entity_name: str) -> list[str]:
        """Return which of these hooks have handlers for an entity, be they out of service."""
        chains = {name: self._chain_of(name, entity_name) for name in hook_names}
        return [name for name, chain in chains.items() if chain.steps or chain.absent]

    def _chain_of(self, hook_name: str, entity_name: str) -> Chain:
        return self._by_name[hook_name].chains.get(entity_name) or self.chain(hook_name, entity_name)

    def chain(self, hook_name: str, entity_name: str | None) -> Chain:
        """Return the handlers that run for an entity."""
        raise NotImplementedError

    def _nested(self, chain: Chain) -> Frame:
        frame = self.budget.enter()
        if frame.depth > MAX_DEPTH:
            self.budget.leave(frame)
            chain.skip_after(None)
            raise _too_deep()
        return frame


def _timed(
    step: Step, args: Sequence[Any], context: Mapping[str, Any], rule: DataRule | None, data: Any
) -> Any:
    """Call a handler with a copy of the data of its own and its context; return the data to go on with."""
    keywords = step.keywords(context) if context else context
    started = perf_counter_ns()
    try:
        if rule is not None:
            return rule.hand_over(step.function, args, keywords, data)
        step.function(*args, **keywords)
    finally:
        step.counts.timed_ns += perf_counter_ns() - started
        step.counts.timed_calls += 1
    return None


def _too_deep() -> HookDepthExceeded:
    return HookDepthExceeded(
        f"Hook handlers are nested {MAX_DEPTH} deep, which is the limit: a handler's write starts handlers, "
        "which write again. Most likely a handler starts itself: let it write only what differs, or skip "
        "what it wrote itself."
    )


def _restore(args: Sequence[object]) -> None:
    """Make the objects among a hook's arguments what they were before a handler that failed.

    That is what is stored now: a handler before it may have stored something.
    """
    for held in map(_loaded, args):
        if held is None:
            continue
        before, is_pending = held.__dict__.get(_MEMORY, (None, False))
        changed = _field_names(held) if before is None else _changed(held, before)
        _reset_fields(held, changed, before or {}, is_pending=is_pending)
        held._state.fields_cache.clear()  # related objects may have been changed, too
        held.__dict__.pop("_prefetched_objects_cache", None)


def _loaded(held: object) -> Model | None:
    """Return an argument that is a stored object, None for all else; a user may be read when first used."""
    if isinstance(held, LazyObject):
        held = held.__dict__.get("_wrapped")
    return held if isinstance(held, Model) else None


def _field_names(held: Model) -> list[str]:
    return [field.attname for field in held._meta.concrete_fields if field.attname in held.__dict__]


def _changed(held: Model, before: Mapping[str, Any]) -> list[str]:
    return [name for name in _field_names(held) if name in before and held.__dict__[name] != before[name]]


def _reset_fields(held: Model, names: Sequence[str], before: Mapping[str, Any], *, is_pending: bool) -> None:
    stored = _stored(held, before, names) if names else {}
    for name in names:
        if not is_pending:
            held.__dict__[name] = stored.get(name, before.get(name, held.__dict__[name]))
        elif name not in stored or stored[name] != held.__dict__[name]:
            held.__dict__[name] = before[name]


def _stored(held: Model, before: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return what is stored of these fields now: without what a failed handler wrote, which is undone."""
    key = before.get(held._meta.pk.attname, held.pk)
    try:
        return type(held)._base_manager.filter(pk=key).values(*names).first() or {}
    except DatabaseError:
        return {}  # the transaction is broken, and so nothing of it will be stored

"""The handlers of one hook for one entity, in order, ready to run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any

from pagoda.hooks.compiled import Runner, compile_runner
from pagoda.hooks.context import ContextRule, context_rule
from pagoda.hooks.counts import HandlerCounts, Tally
from pagoda.hooks.errors import HookDepthExceeded, UnusableResult
from pagoda.hooks.fence import FAILED, Fence, Step
from pagoda.hooks.snapshots import snapshot
from pagoda_plugin_sdk.hooks import HookKind, HookSpec

NO_CONTEXT: Mapping[str, Any] = MappingProxyType({})

# {kind: (argument that each handler gets a copy of, type of a result that replaces it)}
_DATA: Mapping[HookKind, tuple[str, type | None]] = MappingProxyType(
    {
        HookKind.TRANSFORM: ("validated_data", dict),
        HookKind.FILTER: ("attrinfo", list),
        HookKind.VETO: ("attrs", None),
    }
)


class Chain:
    """An immutable sequence of handlers.

    `run` takes the hook's arguments and returns its data, if it has any. Any below: a hook's arguments,
    context and results are data of every type.
    """

    def __init__(
        self, spec: HookSpec, steps: Sequence[Step], fence: Fence, passed_by: Sequence[HandlerCounts] = ()
    ) -> None:
        """`passed_by` are the counts of handlers that would run if they were in service."""
        self.spec = spec
        self.steps = tuple(steps)
        self._passed_by = tuple(passed_by)
        self.tally = Tally()
        self._fence = fence
        argument, result_type = _DATA.get(spec.kind, (None, None))
        self._result_type: type | None = result_type  # of a result that replaces the data
        self._data_at = spec.arguments.index(argument) if argument else None
        for step in self.steps:
            step.counts.join(self.tally)
        for counts in self._passed_by:
            counts.pass_by(self.tally)
        self.run: Runner = self._runner()

    def dissolve(self) -> None:
        """Leave the counts with the handlers; the chain is not to be run again."""
        for step in self.steps:
            step.counts.part(self.tally)
        for counts in self._passed_by:
            counts.part(self.tally)

    def run_with(self, args: Sequence[Any], context: Mapping[str, Any]) -> Any:
        """Do what `run` does, with context keywords for the handlers that take them."""
        if not self.steps:
            if self._passed_by:
                self.tally.count()
            return self._result(args)
        return self._dispatch(args, context)

    def carefully(self, *args: Any) -> Any:
        """Run where compiled code may not: nested in a handler, first in a thread, or timed."""
        return self._dispatch(args, NO_CONTEXT)

    def settle(self, done: int, following: int, *args: Any) -> None:
        """Close the savepoints of handler `done` and store the number of the `following` one."""
        self._fence.settle(self.steps[done - 1], args)
        self._fence.threads.local.slot[0] = following

    def fail(self, number: int, error: BaseException, *args: Any) -> None:
        """Contain what handler `number` of compiled code raised."""
        try:
            self._fence.contain(self.steps[number - 1], args, error)
        except BaseException:
            self._skip_after(number)
            raise

    @cached_property
    def _rules(self) -> list[ContextRule]:
        # Looking at signatures takes time, and context is rarely given: not at start-up.
        return [context_rule(self.spec, step.record.handler) for step in self.steps]

    def _runner(self) -> Runner:
        if not self.steps and not self._passed_by:
            return lambda *args: self._result(args)
        if self.spec.kind is not HookKind.NOTIFY or not self.steps:
            return lambda *args: self.run_with(args, NO_CONTEXT)
        return compile_runner(
            self.spec.arguments,
            [step.function for step in self.steps],
            threads=self._fence.threads,
            owner=self,
            namespace=self.tally.namespace,
        )

    def _result(self, args: Sequence[Any]) -> Any:
        return args[self._data_at] if self._data_at is not None and self._result_type is not None else None

    def _dispatch(self, args: Sequence[Any], context: Mapping[str, Any]) -> Any:
        call = self._call_timed if self.tally.count() else self._call
        depth = self._enter()
        try:
            if self._data_at is None:
                for number in range(1, len(self.steps) + 1):
                    call(number, args, context)
                return None
            return self._pass_on(call, list(args), context, self._data_at)
        finally:
            self._fence.leave(depth)

    def _enter(self) -> int:
        try:
            return self._fence.enter()
        except HookDepthExceeded:
            self._skip_after(0)
            raise

    def _pass_on(self, call: Callable[..., Any], args: list[Any], context: Mapping[str, Any], at: int) -> Any:
        """Call each handler with a copy of the data as its predecessor left it; return what the last left."""
        data = args[at]
        for number in range(1, len(self.steps) + 1):
            args[at] = snapshot(data)
            result = call(number, args, context)
            if result is not FAILED and self._result_type is not None:
                data = args[at] if result is None else result
        return data if self._result_type is not None else None

    def _call(self, number: int, args: Sequence[Any], context: Mapping[str, Any]) -> Any:
        try:
            keywords = self._rules[number - 1].select(context) if context else NO_CONTEXT
            return self._fence.call(self.steps[number - 1], number, args, keywords, self._check)
        except BaseException:
            self._skip_after(number)
            raise

    def _call_timed(self, number: int, args: Sequence[Any], context: Mapping[str, Any]) -> Any:
        started = time.perf_counter_ns()
        result = self._call(number, args, context)
        self.steps[number - 1].counts.add_time(time.perf_counter_ns() - started)
        return result

    def _check(self, result: Any) -> None:
        expected = self._result_type
        if expected is not None and result is not None and not isinstance(result, expected):
            raise UnusableResult(
                f"returned {_brief(result)}, expected {expected.__name__} or None; the data stays as it was"
            )

    def _skip_after(self, number: int) -> None:
        for step in self.steps[number:]:
            step.counts.skipped += 1


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}... ({type(value).__name__})"

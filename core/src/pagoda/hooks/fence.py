"""The fence around one handler: nothing it does wrong reaches the host or another handler."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError

from pagoda.hooks.counts import HandlerCounts
from pagoda.hooks.errors import HookTimeout, RejectedByPlugin, TransactionBroken
from pagoda.hooks.records import Handler, HandlerRecord
from pagoda.hooks.rejections import is_rejection, messages_of, refusal_of
from pagoda.hooks.reports import report_failure, report_rejection
from pagoda.hooks.savepoints import Savepoint
from pagoda.hooks.subjects import entity_name_of
from pagoda.hooks.threads import IDLE, Frame, Mark
from pagoda.hooks.watchdog import Watchdog
from pagoda_plugin_sdk.exceptions import JobTimeLimitExceeded
from pagoda_plugin_sdk.hooks import HOOK_SPECS

# Raised by the host into whatever runs, a handler too, and not the handler's doing.
HOST_INTERRUPTS = (KeyboardInterrupt, SoftTimeLimitExceeded, JobTimeLimitExceeded)


class Outcome(enum.Enum):
    """What stands for a result where there is none."""

    FAILED = enum.auto()  # the handler failed and was contained


FAILED: Final = Outcome.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One handler in its place in a chain."""

    record: HandlerRecord
    function: Handler  # the handler, or what hands it over to a job
    counts: HandlerCounts


type FailureListener = Callable[[Step, BaseException], None]


class Fence:
    """Runs handlers so that a failure, a hang or a broken transaction stays theirs.

    Any below: a hook's arguments, context keywords and results are data of every type.
    """

    def __init__(self, watchdog: Watchdog) -> None:
        self.on_failure: FailureListener | None = None
        self._watchdog = watchdog
        self.threads = watchdog.threads

    def enter(self) -> int:
        """Begin a dispatch in this thread; return what to `leave` with."""
        self._watchdog.watch()
        return self.threads.enter()

    def leave(self, depth: int) -> None:
        """End the dispatch that `enter` began."""
        self.threads.leave(depth)

    def call(
        self,
        step: Step,
        number: int,
        args: Sequence[Any],
        keywords: Mapping[str, Any],
        check: Callable[[Any], None],
    ) -> Any:
        """Call a handler and return its result, `FAILED` if it failed; `check` raises on an unusable result.

        Raises:
            RejectedByPlugin: it refused the write, as its hook may.
        """
        slot = self.threads.local.slot
        try:
            slot[0] = number
            result = step.function(*args, **keywords)
            check(result)
        except BaseException as error:  # noqa: BLE001 - the fence: it is recorded, or raised on
            self.contain(step, args, error)
            return FAILED
        try:
            slot[0] = IDLE
        except IndexError:  # it left savepoints
            return result if self.settle(step, args) else FAILED
        return result

    def settle(self, step: Step, args: Sequence[Any]) -> bool:
        """Close the savepoints of a handler that returned; return False if it broke the transaction."""
        try:
            _release(self.threads.free())
        except TransactionBroken as error:
            self._record_failure(step, args, error)
            return False
        return True

    def contain(self, step: Step, args: Sequence[Any], error: BaseException) -> None:
        """Undo and record what a handler did that raised.

        Raises:
            RejectedByPlugin: it refused the write, as its hook may.
            BaseException: the error itself, when it was not meant for this handler.
        """
        frame = self.threads.frame
        error = self._or_timeout(frame, error)
        for savepoint in self.threads.free():
            savepoint.roll_back()
        if isinstance(error, HOST_INTERRUPTS) or (
            isinstance(error, HookTimeout) and error.frame is not frame
        ):
            raise error
        if is_rejection(HOOK_SPECS[step.record.hook], error):
            raise self._rejection(step, args, error) from error
        self._record_failure(step, args, error)
        if step.record.fail_closed:
            raise self._rejection(step, args, refusal_of(step.record)) from error

    def _or_timeout(self, frame: Frame, error: BaseException) -> BaseException:
        """Return what the database raised as a `HookTimeout`, if it stopped a query as time was up."""
        running = frame.running()
        if not (isinstance(error, DatabaseError) and isinstance(running, Mark) and running.expired):
            return error
        timeout = HookTimeout(frame, self._watchdog.timeout_seconds)
        timeout.__cause__ = error
        return timeout

    def _rejection(self, step: Step, args: Sequence[Any], error: BaseException) -> RejectedByPlugin:
        record = step.record
        step.counts.rejected += 1
        rejection = RejectedByPlugin(
            plugin_id=record.plugin_id,
            hook=record.hook,
            entity=entity_name_of(HOOK_SPECS[record.hook], args),
            messages=messages_of(error),
        )
        report_rejection(record, rejection)
        return rejection

    def _record_failure(self, step: Step, args: Sequence[Any], error: BaseException) -> None:
        step.counts.failures += 1
        step.counts.timeouts += isinstance(error, HookTimeout)
        if self.on_failure is not None:
            self.on_failure(step, error)
        report_failure(step.record, entity_name_of(HOOK_SPECS[step.record.hook], args), error)


def _release(savepoints: list[Savepoint]) -> None:
    """Release savepoints of different databases: all, or none from the first that is broken."""
    for position, savepoint in enumerate(savepoints):
        try:
            savepoint.release()
        except TransactionBroken:
            for other in savepoints[position + 1 :]:
                other.roll_back()
            raise

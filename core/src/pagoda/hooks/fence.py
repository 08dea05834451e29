"""The fence around one handler: nothing it does wrong reaches the host or another handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError

from pagoda.budget import TimeBudgetExceeded, TransactionBroken
from pagoda.budget.frames import Frame, Mark
from pagoda.budget.savepoints import Savepoint
from pagoda.errors import let_go
from pagoda.fencing.interrupts import is_host_interrupt
from pagoda.fencing.reporting import described, report_error
from pagoda.hooks.arguments import ContextRule
from pagoda.hooks.records import Handler, HandlerCounts, HandlerRecord
from pagoda.hooks.rejections import RejectedByPlugin, is_rejection, messages_of, refusal_of
from pagoda_plugin_sdk.exceptions import JobTimeLimitExceeded
from pagoda_plugin_sdk.hooks import HOOK_SPECS, entity_name_of

log = structlog.get_logger(__name__)

# Raised by the host into whatever runs, a handler too, and not the handler's doing.
TIME_LIMITS = (SoftTimeLimitExceeded, JobTimeLimitExceeded)


class Step:
    """One handler in its place in a chain."""

    __slots__ = ("_context_rule", "counts", "function", "plugin_id", "record", "seconds")

    is_undone = True  # what it writes, if it fails

    def __init__(
        self, record: HandlerRecord, function: Handler, counts: HandlerCounts, seconds: float
    ) -> None:
        """`function` is the handler, or what stands for it: what hands it over to a job."""
        self.record = record
        self.function = function
        self.counts = counts
        self.seconds = seconds
        self.plugin_id = record.plugin_id
        self._context_rule: ContextRule | None = None

    def keywords(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the part of `context` that the handler takes. Any: context is open."""
        if self._context_rule is None:  # not before: it takes time, and context is rarely given
            self._context_rule = ContextRule.of(HOOK_SPECS[self.record.hook], self.record.handler)
        return self._context_rule.select(context)


type FailureListener = Callable[[Step, BaseException], None]


class Fence:
    """Contains what handlers do wrong. Any below: a hook's arguments are data of every type."""

    def __init__(self) -> None:
        self.on_failure: FailureListener | None = None

    def settle(self, frame: Frame) -> None:
        """Close the savepoints of a handler that returned.

        Raises:
            TransactionBroken: it broke the transaction; what it wrote is undone.
        """
        frame.running = None  # it is over: from here on it is the host's own time
        savepoints = frame.take_savepoints()
        for position, savepoint in enumerate(savepoints):
            try:
                savepoint.release()
            except TransactionBroken:
                _roll_back(savepoints[position + 1 :])
                raise

    def contain(self, step: Step, frame: Frame, args: Sequence[Any], error: BaseException) -> None:
        """Undo and record what a handler did that raised.

        Raises:
            RejectedByPlugin: it refused the write, as its hook may.
            BaseException: the error itself, when it was not meant for this handler.
        """
        running, frame.running = frame.running, None
        savepoints = frame.take_savepoints()
        if savepoints:
            let_go(error)
        _roll_back(savepoints)
        if isinstance(error, DatabaseError) and isinstance(running, Mark) and running.expired:
            error = _stopped_query(frame, step.seconds, error)
        is_outer = isinstance(error, TimeBudgetExceeded) and error.frame is not frame
        if is_outer or isinstance(error, TIME_LIMITS) or is_host_interrupt(error):
            raise error
        if is_rejection(HOOK_SPECS[step.record.hook], error):
            raise _rejection(step, args, error) from error
        self._record(step, args, error)
        if step.record.fail_closed:
            raise _rejection(step, args, refusal_of(step.record)) from error

    def _record(self, step: Step, args: Sequence[Any], error: BaseException) -> None:
        """Count and report a failure: one log record and, when error tracking is on, one event."""
        record, is_timeout = step.record, isinstance(error, TimeBudgetExceeded)
        step.counts.failures += 1
        step.counts.timeouts += is_timeout
        if self.on_failure is not None:
            self.on_failure(step, error)
        entity = entity_name_of(HOOK_SPECS[record.hook], args)
        log.error(
            "hook_timed_out" if is_timeout else "hook_failed",
            plugin=record.plugin_id,
            hook=record.hook,
            entity=entity,
            handler=record.name,
            error=described(error),
            exc_info=error,
        )
        report_error(
            error,
            plugin=record.plugin_id,
            surface="hook",
            name=record.hook,
            hook=record.hook,
            entity=entity or "",
        )


def _rejection(step: Step, args: Sequence[Any], error: BaseException) -> RejectedByPlugin:
    """Count and log a write that was refused, which is no failure."""
    record = step.record
    step.counts.rejected += 1
    rejection = RejectedByPlugin(
        plugin_id=record.plugin_id,
        hook=record.hook,
        entity=entity_name_of(HOOK_SPECS[record.hook], args),
        messages=messages_of(error),
    )
    log.info(
        "hook_rejected",
        plugin=record.plugin_id,
        hook=record.hook,
        entity=rejection.entity,
        handler=record.name,
        messages=rejection.messages,
    )
    return rejection


def _stopped_query(frame: Frame, seconds: float, error: DatabaseError) -> TimeBudgetExceeded:
    """Return what the database raised as what it means, as it stopped a query when time was up."""
    exceeded = TimeBudgetExceeded(frame, seconds)
    exceeded.__cause__ = error
    return exceeded


def _roll_back(savepoints: Sequence[Savepoint]) -> None:
    for savepoint in savepoints:
        savepoint.roll_back()

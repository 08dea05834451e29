"""Runs the job of a message: claim it, check that its operation is known here, run its task, report."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sentry_sdk
import structlog

from pagoda.config.sentry import link_user
from pagoda.fencing.breaker import breaker
from pagoda.fencing.reporting import report_error
from pagoda.jobs import operations, runtime, sayings, store
from pagoda.jobs.engine import run_attempt
from pagoda.jobs.job_errors import UnknownOperation
from pagoda.jobs.operations import OperationSpec
from pagoda_plugin_sdk.operations import PLUGIN_OPERATIONS
from pagoda_plugin_sdk.washing import washed_error
from pagoda_worker import task_fence
from pagoda_worker.soft_limit import soft_limit

log = structlog.get_logger(__name__)

CELERY_TASK_LOGGERS = ("celery.worker.strategy", "celery.app.trace")
"""They tell of every message that it came and went; the runner's record of the job says more."""

HOLD_SECONDS = 30.0
"""A job whose operation this worker lacks is offered to the workers of its queue again after this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Runs jobs in the child processes of one worker; made before they are forked."""

    node: str  # names the worker among all; its claims are held as node/pid
    lease_seconds: float
    queue: str | None = None  # jobs of others are left alone, whatever a message says

    def run(self, job_id: int, task_id: str) -> None:
        """Claim the job and run its task to the end; return quietly when it is not to be run now."""
        breaker().refresh()
        owner = store.owner_of(self.node, os.getpid())
        attempt = store.claim(job_id, owner, self.lease_seconds, queue=self.queue)
        if attempt is None:
            log.debug("job_not_claimed", job_id=job_id, task_id=task_id)
            return
        with _bound(attempt, task_id):
            spec = _operation_of(attempt)
            if spec is not None and task_fence.is_admitted(attempt):
                self._run(attempt, spec)
            breaker().flush()

    def _run(self, attempt: store.Attempt, spec: OperationSpec) -> None:
        started = time.monotonic()
        escaped: list[BaseException] = []

        def report(error: BaseException) -> None:
            escaped.append(error)
            _report(attempt, error)

        ending = run_attempt(attempt, spec, report=report, guard=soft_limit)
        seconds = time.monotonic() - started
        log.info("job_ended", ending=ending, seconds=round(seconds, 3))
        if ending != "lost":
            error = escaped[0] if escaped else None
            text = None if error is None else washed_error(error)
            result = task_fence.result_of(ending, error)
            task_fence.tell(attempt, result, seconds=seconds, error=text)


def install(*, node: str, lease_seconds: float, queue: str | None = None) -> Runner:
    """Have the jobs that reach this process and those forked from it run here; call it before they start."""
    runner = Runner(node=node, lease_seconds=lease_seconds, queue=queue)
    runtime.set_runner(runner)
    for name in CELERY_TASK_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    return runner


def hold_unknown(job_id: int, task: str, *, queue: str) -> bool:
    """Leave a job queued whose task this worker does not know, as a newer worker may; False if none is."""
    reason = sayings.TASK_UNKNOWN.format(task=repr(task))
    is_held = store.hold(job_id, reason, delay_seconds=HOLD_SECONDS, queue=queue)
    if is_held:
        log.error("job_operation_unknown", job_id=job_id, task=task)
    return is_held


def _operation_of(attempt: store.Attempt) -> OperationSpec | None:
    """Return the job's operation; None, with the job given back, when it means something else here."""
    try:
        spec = _resolve(attempt)
    except UnknownOperation as error:
        reason = str(error)
    else:
        if (spec.number, spec.name) == (attempt.operation, attempt.operation_name):
            return spec
        reason = sayings.OTHER_NUMBER.format(
            name=repr(attempt.operation_name),
            number=attempt.operation,
            other=repr(spec.name),
            other_number=spec.number,
        )
    log.error("job_operation_mismatch", reason=reason)
    if sentry_sdk.is_initialized():
        sentry_sdk.capture_message(f"Job left queued: {reason}", level="error")
    store.release(attempt, reason=reason, delay_seconds=HOLD_SECONDS)
    return None


def _resolve(attempt: store.Attempt) -> OperationSpec:
    if attempt.operation in PLUGIN_OPERATIONS:
        return operations.resolve_name(attempt.plugin, attempt.operation_name)
    return operations.resolve(attempt.operation)


def _report(attempt: store.Attempt, error: BaseException) -> None:
    """Record what a task let escape: one log record and, when error tracking is on, one event."""
    log.error("job_failed", error=washed_error(error), exc_info=error)
    report_error(
        error,
        plugin=attempt.plugin or None,
        surface="task",
        name=attempt.operation_name,
        job=str(attempt.job_id),
        operation=attempt.operation_name,
    )


@contextmanager
def _bound(attempt: store.Attempt, task_id: str) -> Iterator[None]:
    """Bind the ids of the job to logs and to error tracking inside the block."""
    ids: dict[str, Any] = {
        "job_id": attempt.job_id,
        "plugin": attempt.plugin,
        "operation": attempt.operation_name,
        "attempt": attempt.number,
        "user_id": attempt.user_id,
        "task_id": task_id,
    }
    if attempt.request_id:
        ids["request_id"] = attempt.request_id
    with structlog.contextvars.bound_contextvars(**ids):
        if not sentry_sdk.is_initialized():
            yield
            return
        with sentry_sdk.isolation_scope() as scope:
            scope.set_tags(
                {
                    "surface": "task",
                    "plugin": attempt.plugin,
                    "job": str(attempt.job_id),
                    "operation": attempt.operation_name,
                    "request_id": attempt.request_id,
                }
            )
            if attempt.user_id is not None:
                link_user(attempt.user_id)
            yield

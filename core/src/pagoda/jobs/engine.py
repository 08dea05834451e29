"""Runs the task of a claimed job, and records how it ended by what it returned or raised."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import inf
from typing import Any

import structlog
from django.contrib.auth import get_user_model
from django.db import InterfaceError, OperationalError, connection
from django.utils.functional import SimpleLazyObject

from pagoda import running
from pagoda.domain.acting import acting_as
from pagoda.hooks.manager import manager
from pagoda.jobs import store
from pagoda.jobs.context import TaskContext
from pagoda.jobs.database_refusals import explained
from pagoda.jobs.execution import Execution, executing
from pagoda.jobs.foreign import checked_result, job_text
from pagoda.jobs.forking import ending_forks
from pagoda.jobs.job_errors import InvalidParams, JobLost
from pagoda.jobs.operations import OperationSpec
from pagoda_plugin_sdk.exceptions import JobCanceled, JobTimeLimitExceeded
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.washing import washed, washed_error, washed_traceback

log = structlog.get_logger(__name__)

Report = Callable[[BaseException], None]
"""Told of an exception that a task let escape."""

Guard = Callable[[store.Attempt], AbstractContextManager[Any]]
"""Put around the task itself, and nothing of the recording: it may raise inside, for a time limit."""

ERROR_MAX = 2_000
TRACEBACK_MAX = 16_000


def run_attempt(
    attempt: store.Attempt, spec: OperationSpec, *, report: Report, guard: Guard = nullcontext
) -> str:
    """Run the task of `spec` for a claimed job, as the user who asked for it; return in a word how it ended.

    Nothing that the task raises gets out of here, whatever its class: a worker's own stop is no exception.
    """
    with executing(attempt) as execution, acting_as(_user(attempt.user_id)):
        try:
            ending = _run(execution, spec, guard)
        except JobLost as error:
            log.warning("job_claim_lost", attempt=attempt.number, error=washed(error))
            ending = "lost"
        except JobCanceled:
            ending = _recorded(_end_canceled, execution)
        except JobTimeLimitExceeded as error:
            ending = _recorded(_end, execution, JobStatus.TIMEOUT, error=washed(error))
        except BaseException as error:  # noqa: BLE001 - the fence around plugin code
            told = explained(error, attempt.plugin)
            report(told)
            ending = _recorded(_fail, execution, told)
        _recorded(execution.log.store)
    return ending


def _run(execution: Execution, spec: OperationSpec, guard: Guard) -> str:
    context = None if spec.options is None else TaskContext(execution)
    with ending_forks(), guard(execution.attempt):
        returned = _called(
            spec, execution.attempt.plugin, execution.attempt.job_id if context is None else context
        )
    if execution.is_ended:
        return "ended"
    if execution.saw_cancel:
        return _recorded(_end_canceled, execution)
    outcome = outcome_of(returned, keeps_result=context is not None)
    if outcome.target is not None:
        store.point_at(execution.attempt, outcome.target)
    return _recorded(_end, execution, outcome.status, text=outcome.text, result=outcome.result)


def _called(spec: OperationSpec, plugin_id: str, argument: Any) -> Any:
    """Call the task, noted as the plugin's code that it is; its time limits are the worker's to keep."""
    if not plugin_id:
        return spec.handler(argument)
    return manager().budget.run_within(inf, plugin_id, spec.handler, argument)


def _end(execution: Execution, status: JobStatus, **details: Any) -> str:
    if store.finish(execution.attempt, status, **details):
        return status.name.lower()
    return _refused(execution)


def _end_canceled(execution: Execution) -> str:
    return _end(execution, JobStatus.CANCELED)


def _fail(execution: Execution, error: BaseException) -> str:
    cause = washed_error(error, ERROR_MAX)
    trace = washed_traceback(error, TRACEBACK_MAX)
    execution.log.error(cause, traceback=trace, attempt=execution.attempt.number)
    failure = store.fail_attempt(execution.attempt, error=cause)
    return _refused(execution) if failure is store.Failure.FENCED else failure.value


def _refused(execution: Execution) -> str:
    if execution.is_ended:  # it had ended the job and raised afterwards
        return "ended"
    log.warning("job_claim_lost", attempt=execution.attempt.number)
    return "lost"


def _recorded[**P, T](write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `write` returns, on a new connection when the one that the task left does not work."""
    try:
        return write(*args, **kwargs)
    except (OperationalError, InterfaceError):
        log.warning("job_database_connection_renewed", exc_info=True)
        connection.close()
        return write(*args, **kwargs)


def _user(user_id: int | None) -> Any:
    """Return the user with this id, read when it is first used; None for None."""
    if user_id is None:
        return None

    @running.as_host()
    def read() -> Any:
        return get_user_model().objects.get(pk=user_id)

    return SimpleLazyObject(read)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOutcome:
    """How a task that returned wants its job to end."""

    status: JobStatus = JobStatus.DONE
    text: str | None = None
    target: Any = None  # an entry or entity to point the job at
    result: Any = None  # JSON values


def outcome_of(returned: Any, *, keeps_result: bool) -> TaskOutcome:
    """Return what ``JobStatus``, ``(JobStatus, text)``, ``(JobStatus, text, target)`` or a result stand for.

    Raises:
        InvalidParams: a result that can't be stored, or a status that no job ends in.
    """
    if isinstance(returned, JobStatus):
        return TaskOutcome(status=_final(returned))
    if isinstance(returned, tuple) and 2 <= len(returned) <= 3 and isinstance(returned[0], JobStatus):
        status, text, *target = returned
        return TaskOutcome(status=_final(status), text=job_text(text), target=target[0] if target else None)
    return TaskOutcome(result=checked_result(returned) if keeps_result else None)


def _final(status: JobStatus) -> JobStatus:
    if not status.is_finished:
        raise InvalidParams(f"The task returned {status.name}, expected a status that a job can end in.")
    return status

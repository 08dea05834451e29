"""The fence around plugins' tasks: their breaker, and what is told of each attempt."""

from __future__ import annotations

import structlog

from pagoda.fencing import Outcome, Result, report_outcome
from pagoda.fencing.breaker import breaker
from pagoda.jobs import store
from pagoda.jobs.sayings import OUT_OF_SERVICE

log = structlog.get_logger(__name__)


def is_admitted(attempt: store.Attempt) -> bool:
    """Return whether the task may run now; else the job is back in its queue, with the reason.

    The host's own tasks have no breaker.
    """
    if not attempt.plugin or breaker().admits(attempt.plugin, "task"):
        return True
    seconds = breaker().retry_after(attempt.plugin, "task")
    error = breaker().last_error(attempt.plugin, "task")
    reason = OUT_OF_SERVICE.format(plugin=repr(attempt.plugin))
    log.warning("job_held_by_breaker", reason=reason, seconds=round(seconds), error=error)  # of others' jobs
    store.release(attempt, reason=reason, delay_seconds=seconds)
    report_outcome(_outcome(attempt, "skipped", 0.0, reason))
    return False


def tell(attempt: store.Attempt, result: Result, *, seconds: float = 0.0, error: str | None = None) -> None:
    """Count how an attempt of a plugin's task ended, and tell the observers."""
    outcome = _outcome(attempt, result, seconds, error)
    if attempt.plugin:
        breaker().record(outcome)
    report_outcome(outcome)


def result_of(ending: str, error: BaseException | None) -> Result:
    """Return what an ending, `run_attempt`'s word, is to the fence."""
    if error is not None or ending == "error":
        return "raised"
    return "timeout" if ending == "timeout" else "ok"


def _outcome(attempt: store.Attempt, result: Result, seconds: float, error: str | None) -> Outcome:
    return Outcome(
        plugin=attempt.plugin,
        surface="task",
        name=attempt.operation_name,
        result=result,
        seconds=seconds,
        error=error,
    )

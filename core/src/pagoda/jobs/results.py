"""What a task returns, and what that means for its job."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pagoda.jobs import runtime
from pagoda.jobs.errors import InvalidParams
from pagoda_plugin_sdk.operations import JobStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a task that returned wants its job to end."""

    status: JobStatus = JobStatus.DONE
    text: str | None = None
    target: Any = None  # an entry or entity to point the job at
    result: Any = None  # JSON values


def outcome_of(returned: Any, *, keeps_result: bool) -> Outcome:
    """Return what ``JobStatus``, ``(JobStatus, text)``, ``(JobStatus, text, target)`` or a result stand for.

    Raises:
        InvalidParams: a result that can't be stored, or a status that no job ends in.
    """
    if isinstance(returned, JobStatus):
        return Outcome(status=_final(returned))
    if isinstance(returned, tuple) and 2 <= len(returned) <= 3 and isinstance(returned[0], JobStatus):
        status, text, *target = returned
        return Outcome(status=_final(status), text=str(text), target=target[0] if target else None)
    return Outcome(result=checked_result(returned) if keeps_result else None)


def checked_result(result: Any) -> Any:
    """Return `result` when it can be stored.

    Raises:
        InvalidParams: it is no JSON value, or larger than JOB_RESULT_MAX_BYTES.
    """
    if result is None:
        return None
    try:
        size = len(json.dumps(result))
    except (TypeError, ValueError) as error:
        raise InvalidParams(
            f"Result of the task can't be stored: {error}. Return JSON values: text, numbers, lists, dicts."
        ) from error
    most = runtime.host_settings().job_result_max_bytes
    if size > most:
        raise InvalidParams(
            f"Result of the task has {size} bytes, expected {most} at most (JOB_RESULT_MAX_BYTES). "
            "Attach a file instead, or store it in entries."
        )
    return result


def _final(status: JobStatus) -> JobStatus:
    if not status.is_finished:
        raise InvalidParams(f"The task returned {status.name}, expected a status that a job can end in.")
    return status

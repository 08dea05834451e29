"""What a task returns, and what that means for its job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pagoda.jobs.errors import InvalidParams
from pagoda.jobs.foreign import checked_result, job_text
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
        return Outcome(status=_final(status), text=job_text(text), target=target[0] if target else None)
    return Outcome(result=checked_result(returned) if keeps_result else None)


def _final(status: JobStatus) -> JobStatus:
    if not status.is_finished:
        raise InvalidParams(f"The task returned {status.name}, expected a status that a job can end in.")
    return status

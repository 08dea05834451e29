"""The one table of what a job's status may become, and the phases that a status shows as."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from django.db.models import Case, CharField, Q, Value, When
from django.db.models.functions import Now

from pagoda_plugin_sdk.operations import JobStatus

UNFINISHED = (JobStatus.PREPARING, JobStatus.PROCESSING)
FINISHED = tuple(status for status in JobStatus if status.is_finished)


@enum.unique
class Event(enum.Enum):
    """What may happen to a job."""

    RUN = "run"  # somebody asks for it to run
    CLAIM = "claim"  # a worker takes it
    RELEASE = "release"  # its worker gives it back, or is lost, or it is to be tried again
    FINISH = "finish"  # its worker ends it
    SETTLE = "settle"  # it is ended without a worker: by cancelling it, or by a task that made no claim
    RETRY = "retry"  # somebody asks for another run of a job that failed


_P = JobStatus.PROCESSING
TRANSITIONS: Mapping[Event, Mapping[JobStatus, frozenset[JobStatus]]] = {
    Event.RUN: {JobStatus.PREPARING: frozenset({_P})},
    Event.CLAIM: {_P: frozenset({_P})},
    Event.RELEASE: {_P: frozenset({_P})},
    Event.FINISH: {_P: frozenset(FINISHED)},
    Event.SETTLE: {JobStatus.PREPARING: frozenset(FINISHED), _P: frozenset(FINISHED)},
    Event.RETRY: {
        status: frozenset({_P})
        for status in (JobStatus.ERROR, JobStatus.TIMEOUT, JobStatus.CANCELED, JobStatus.WARNING)
    },
}
"""``{event: {from: {to}}}``; every write of a status names its event and is refused unless listed here."""


def sources(event: Event, target: JobStatus) -> tuple[JobStatus, ...]:
    """Return the statuses that `event` may turn into `target`; a compare-and-set update filters by them.

    Raises:
        ValueError: the table has no such transition.
    """
    found = tuple(source for source, targets in TRANSITIONS[event].items() if target in targets)
    if not found:
        raise ValueError(f"No job becomes {target.name} by {event.value!r}; see TRANSITIONS.")
    return found


@enum.unique
class Phase(enum.StrEnum):
    """Where a job stands in more detail than its status says."""

    PREPARING = "preparing"  # created, nobody has asked for it to run
    WAITING = "waiting"  # for the job it depends on
    SCHEDULED = "scheduled"  # for its time, the next try among them
    QUEUED = "queued"  # for a worker
    RUNNING = "running"  # a worker has it
    CANCELING = "canceling"  # a worker has it and is asked to stop
    FINISHED = "finished"  # nothing more happens to it


def phase_of(
    status: JobStatus, *, is_waiting: bool, is_scheduled: bool, is_claimed: bool, is_cancel_requested: bool
) -> Phase:
    """Return the phase that these facts add up to."""
    if status.is_finished:
        return Phase.FINISHED
    if status == JobStatus.PREPARING:
        return Phase.PREPARING
    if is_claimed:
        return Phase.CANCELING if is_cancel_requested else Phase.RUNNING
    if is_waiting:
        return Phase.WAITING
    return Phase.SCHEDULED if is_scheduled else Phase.QUEUED


_IS_CLAIMED = Q(lease_expires_at__isnull=False)
PHASE = Case(
    When(status__in=FINISHED, then=Value(Phase.FINISHED.value)),
    When(status=JobStatus.PREPARING, then=Value(Phase.PREPARING.value)),
    When(_IS_CLAIMED & Q(cancel_requested_at__isnull=False), then=Value(Phase.CANCELING.value)),
    When(_IS_CLAIMED, then=Value(Phase.RUNNING.value)),
    When(is_waiting=True, then=Value(Phase.WAITING.value)),
    When(run_at__gt=Now(), then=Value(Phase.SCHEDULED.value)),
    default=Value(Phase.QUEUED.value),
    output_field=CharField(),
)
"""What `phase_of` says, as an expression over jobs."""

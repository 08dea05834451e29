from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.utils import timezone

from pagoda.jobs.models import Job
from pagoda.jobs.transitions import FINISHED, PHASE, TRANSITIONS, Event, Phase, phase_of, sources
from pagoda_plugin_sdk.operations import JobStatus

P, Q = JobStatus.PREPARING, JobStatus.PROCESSING
FAILED = {JobStatus.ERROR, JobStatus.TIMEOUT, JobStatus.CANCELED, JobStatus.WARNING}

ALLOWED = {
    (Event.RUN, P, Q),
    (Event.CLAIM, Q, Q),
    (Event.RELEASE, Q, Q),
    *((Event.FINISH, Q, status) for status in FINISHED),
    *((Event.SETTLE, source, status) for source in (P, Q) for status in FINISHED),
    *((Event.RETRY, status, Q) for status in FAILED),
}


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("source", JobStatus)
@pytest.mark.parametrize("target", JobStatus)
def test_the_table_allows_these_transitions_and_no_others(
    event: Event, source: JobStatus, target: JobStatus
) -> None:
    allowed = target in TRANSITIONS[event].get(source, frozenset())

    assert allowed == ((event, source, target) in ALLOWED)


def test_sources_lists_the_statuses_that_an_event_may_change() -> None:
    assert set(sources(Event.SETTLE, JobStatus.CANCELED)) == {P, Q}


def test_a_transition_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match=r"No job becomes PREPARING by 'finish'; see TRANSITIONS\."):
        sources(Event.FINISH, P)


@pytest.mark.parametrize(
    ("status", "facts", "phase"),
    [
        (P, {}, Phase.PREPARING),
        (Q, {}, Phase.QUEUED),
        (Q, {"is_waiting": True}, Phase.WAITING),
        (Q, {"is_waiting": True, "is_scheduled": True}, Phase.WAITING),
        (Q, {"is_scheduled": True}, Phase.SCHEDULED),
        (Q, {"is_claimed": True}, Phase.RUNNING),
        (Q, {"is_claimed": True, "is_cancel_requested": True}, Phase.CANCELING),
        *((status, {"is_claimed": True}, Phase.FINISHED) for status in FINISHED),
    ],
)
def test_a_status_shows_as_a_phase(status: JobStatus, facts: dict[str, bool], phase: Phase) -> None:
    defaults = dict.fromkeys(("is_waiting", "is_scheduled", "is_claimed", "is_cancel_requested"), False)

    assert phase_of(status, **(defaults | facts)) == phase


@pytest.mark.django_db
def test_the_database_finds_the_phase_that_a_job_has() -> None:
    moments = (None, timezone.now() - timedelta(hours=1), timezone.now() + timedelta(hours=1))
    facts = list(product(JobStatus, (True, False), moments, moments[:2], moments[:2]))
    limits: dict[str, Any] = {"soft_limit_seconds": 1, "hard_limit_seconds": 1, "operation": 1}
    Job.objects.bulk_create(
        Job(
            status=status,
            is_waiting=is_waiting,
            run_at=run_at,
            lease_expires_at=lease,
            cancel_requested_at=cancel,
            **limits,
        )
        for status, is_waiting, run_at, lease, cancel in facts
    )
    phases = [(vars(job)["current"], str(job.phase)) for job in Job.objects.annotate(current=PHASE)]
    assert [current for current, _ in phases] == [phase for _, phase in phases]
    assert {phase for _, phase in phases} == set(map(str, Phase))

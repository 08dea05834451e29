from __future__ import annotations

import pytest

from pagoda.jobs.transitions import FINISHED, TRANSITIONS, Event, Phase, phase_of, sources
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

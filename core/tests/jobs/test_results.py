from __future__ import annotations

from typing import Any

import pytest

from pagoda.jobs.errors import InvalidParams
from pagoda.jobs.results import Outcome, checked_result, outcome_of
from pagoda_plugin_sdk.operations import JobStatus

TARGET = object()


@pytest.mark.parametrize(
    ("returned", "outcome"),
    [
        (None, Outcome()),
        (JobStatus.WARNING, Outcome(status=JobStatus.WARNING)),
        ((JobStatus.ERROR, "no stock"), Outcome(status=JobStatus.ERROR, text="no stock")),
        ((JobStatus.DONE, "ok", TARGET), Outcome(text="ok", target=TARGET)),
        ({"n": 1}, Outcome(result={"n": 1})),
        ([1, "two"], Outcome(result=[1, "two"])),
        (2, Outcome(result=2)),
        ((1, 2), Outcome(result=(1, 2))),
        ((JobStatus.DONE,), Outcome(result=(JobStatus.DONE,))),
    ],
)
def test_what_a_task_returns_says_how_its_job_ends(returned: Any, outcome: Outcome) -> None:
    assert outcome_of(returned, keeps_result=True) == outcome


def test_the_raw_form_keeps_no_result() -> None:
    assert outcome_of(object(), keeps_result=False) == Outcome()


@pytest.mark.parametrize("status", [JobStatus.PREPARING, JobStatus.PROCESSING])
def test_a_status_that_no_job_ends_in_is_refused(status: JobStatus) -> None:
    with pytest.raises(InvalidParams) as raised:
        outcome_of(status, keeps_result=True)

    assert str(raised.value) == f"The task returned {status.name}, expected a status that a job can end in."


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (object(), "Result of the task can't be stored: Object of type object is not JSON serializable. "),
        ("x" * 65_536, "Result of the task has 65538 bytes, expected 65536 at most (JOB_RESULT_MAX_BYTES). "),
    ],
    ids=["no JSON", "too large"],
)
def test_a_result_that_cannot_be_stored_is_refused(result: Any, message: str) -> None:
    with pytest.raises(InvalidParams) as raised:
        checked_result(result)

    assert str(raised.value).startswith(message)

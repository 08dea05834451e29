from __future__ import annotations

from typing import Any

import pytest

from pagoda.jobs.engine import TaskOutcome, outcome_of
from pagoda.jobs.foreign import checked_result
from pagoda.jobs.job_errors import InvalidParams
from pagoda_plugin_sdk.operations import JobStatus

TARGET = object()


@pytest.mark.parametrize(
    ("returned", "outcome"),
    [
        (None, TaskOutcome()),
        (JobStatus.WARNING, TaskOutcome(status=JobStatus.WARNING)),
        ((JobStatus.ERROR, "no stock"), TaskOutcome(status=JobStatus.ERROR, text="no stock")),
        ((JobStatus.DONE, "ok", TARGET), TaskOutcome(text="ok", target=TARGET)),
        ({"n": 1}, TaskOutcome(result={"n": 1})),
        ([1, "two"], TaskOutcome(result=[1, "two"])),
        (2, TaskOutcome(result=2)),
        ((1, 2), TaskOutcome(result=[1, 2])),
        ((JobStatus.DONE,), TaskOutcome(result=[int(JobStatus.DONE)])),
    ],
)
def test_what_a_task_returns_says_how_its_job_ends(returned: Any, outcome: TaskOutcome) -> None:
    assert outcome_of(returned, keeps_result=True) == outcome


def test_the_raw_form_keeps_no_result() -> None:
    assert outcome_of(object(), keeps_result=False) == TaskOutcome()


@pytest.mark.parametrize("status", [JobStatus.PREPARING, JobStatus.PROCESSING])
def test_a_status_that_no_job_ends_in_is_refused(status: JobStatus) -> None:
    with pytest.raises(InvalidParams) as raised:
        outcome_of(status, keeps_result=True)

    assert str(raised.value) == f"The task returned {status.name}, expected a status that a job can end in."


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (object(), "result is object, no JSON value; give text"),
        ({"a": [float("inf")]}, "result['a'][0] is inf, which JSON has no word for; give None or text."),
        (["\ud800"], "result[0] contains half of a surrogate pair in '\\ud800'; send valid Unicode."),
        (
            "x" * 65_535,
            "result has more than 65,536 bytes as JSON, which JOB_RESULT_MAX_BYTES allows",
        ),
    ],
    ids=["no JSON", "infinity", "surrogate", "too large"],
)
def test_a_result_that_cannot_be_stored_is_refused(result: Any, message: str) -> None:
    with pytest.raises(InvalidParams) as raised:
        checked_result(result)

    assert str(raised.value).startswith(f"Result of the task can't be stored: {message}")


def test_a_result_of_just_the_allowed_size_is_stored() -> None:
    """The quotes count: the size is that of the JSON text."""
    assert checked_result("x" * 65_534) == "x" * 65_534

from __future__ import annotations

from typing import Any

import pytest

from pagoda_plugin_sdk.exceptions import JobCanceled, PluginValidationError
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.tasks import JobContext, plugin_task, register_plugin_job_task
from pagoda_plugin_sdk.testing import AttachedFile, End, FakeJob, LogLine, SubmittedJob, run_task


@plugin_task(0)
def count(job: JobContext) -> dict[str, Any]:
    for step in range(3):
        job.checkpoint()
        job.progress(step * 50, f"step {step}")
    job.log.info("counted", steps=3)
    job.log.warning("slowly")
    job.attach_file("report.txt", b"3", "text/plain")
    return {"counted": job.params["up_to"], "pair": (1, 2)}


def test_task_runs_against_a_job_that_records() -> None:
    job = FakeJob(params={"up_to": 3})

    result = run_task(count, job)

    assert result == {"counted": 3, "pair": [1, 2]}
    assert job.progressed == [(0, "step 0"), (50, "step 1"), (100, "step 2")]
    assert job.checkpoints == 3
    assert job.log.lines == [
        LogLine(level="info", message="counted", extra={"steps": 3}),
        LogLine(level="warning", message="slowly", extra={}),
    ]
    assert job.log.messages("warning") == ["slowly"]
    assert job.files == [AttachedFile(name="report.txt", content=b"3", content_type="text/plain")]


def test_follow_up_fence_and_end_are_recorded() -> None:
    job = FakeJob()

    with job.fence():
        job.submit("report", {"deep": True}, run_at=None)
        job.finish(JobStatus.WARNING, text="not all", result=[1])

    assert job.submitted == [
        SubmittedJob(operation_name="report", params={"deep": True}, options={"run_at": None})
    ]
    assert job.end == End(status=JobStatus.WARNING, text="not all", result=[1])
    assert job.fences == 1


def test_fake_is_a_job_context() -> None:
    context: JobContext = FakeJob()  # the type checker holds it to the Protocol

    assert (context.id, context.attempt, context.user, context.target) == (1, 1, None, None)


def test_job_can_be_cancelled_at_a_checkpoint() -> None:
    job = FakeJob(params={"up_to": 3}, cancel_at_checkpoint=2)

    with pytest.raises(JobCanceled, match="Job 1 was cancelled"):
        run_task(count, job)

    assert job.progressed == [(0, "step 0")]


@pytest.mark.parametrize("percent", [-1, 100.5])
def test_progress_out_of_range_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match=f"Progress is {percent!r}, expected a percentage from 0 to 100"):
        FakeJob().progress(percent)


def test_log_refuses_what_is_no_json() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        FakeJob().log.info("found", what=object())


def test_result_that_is_no_json_is_refused() -> None:
    @plugin_task
    def wrong(job: JobContext) -> object:
        return {"job": job}

    with pytest.raises(PluginValidationError) as caught:
        run_task(wrong)

    assert str(caught.value).startswith("Task 'wrong' returned {'job': ")
    assert str(caught.value).endswith("Return None, or dicts and lists of text and numbers.")


@pytest.mark.parametrize("form", ["unmarked", "raw"])
def test_only_plugin_tasks_are_run(form: str) -> None:
    def task(job: JobContext) -> None: ...

    with pytest.raises(
        PluginValidationError, match=r"is not marked with @plugin_task\. Mark it; a task of the raw"
    ):
        run_task(register_plugin_job_task(0)(task) if form == "raw" else task)

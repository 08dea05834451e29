from __future__ import annotations

from typing import Any

import pytest

from pagoda_hello_world.tasks import greet, hello_world_task
from pagoda_plugin_sdk import Job, JobStatus
from pagoda_plugin_sdk.exceptions import ParamsRefused
from pagoda_plugin_sdk.testing import FakeJob, MemoryHost, run_task


def test_the_simple_form_greets_and_its_result_is_the_job_s() -> None:
    assert run_task(greet, FakeJob(params={"name": "Ann"})) == "Hello, Ann!"


def test_params_are_checked_by_the_model_of_the_task(host: MemoryHost) -> None:
    with pytest.raises(
        ParamsRefused, match=r"Params of task hello-world-plugin\.greet are wrong: `name`: Field required"
    ):
        Job.objects.submit(plugin="hello-world", operation_name="greet", user=None, params={})
    with pytest.raises(ParamsRefused, match="`name`: Field required"):
        run_task(greet)


def queued(params: Any) -> Any:
    job = Job._create_new_job(None, 5000, params)
    job.run()
    return job


def test_task_greets_and_ends_the_job(host: MemoryHost) -> None:
    job = queued({"name": "Ann"})

    hello_world_task(job.id)

    assert (job.status, job.text) == (JobStatus.DONE, "Hello, Ann!")


def test_cancelled_job_is_left_alone(host: MemoryHost) -> None:
    job = queued({"name": "Ann"})
    job.update(JobStatus.CANCELED)

    hello_world_task(job.id)

    assert (job.status, job.text) == (JobStatus.CANCELED, "")


def test_job_that_is_not_ready_is_left_alone(host: MemoryHost) -> None:
    job: Any = Job._create_new_job(None, 5000, {"name": "Ann"})

    hello_world_task(job.id)

    assert (job.status, job.text) == (JobStatus.PREPARING, "")


@pytest.mark.parametrize(
    ("params", "text"),
    [({}, "KeyError: 'name'"), ("no JSON", "JSONDecodeError: Expecting value: line 1 column 1 (char 0)")],
    ids=["no name", "no JSON"],
)
def test_failure_is_told_by_the_job_and_the_log(
    params: Any, text: str, host: MemoryHost, caplog: pytest.LogCaptureFixture
) -> None:
    job = queued(params)

    hello_world_task(job.id)

    assert (job.status, job.text) == (JobStatus.ERROR, text)
    assert caplog.messages == [f"hello_world_task of job {job.id} failed"]


def test_job_that_does_not_exist_is_an_error(host: MemoryHost) -> None:
    with pytest.raises(Job.DoesNotExist):
        hello_world_task(4711)

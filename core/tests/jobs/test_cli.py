from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from pagoda.cli import jobs as command
from pagoda.domain.user.models import User
from pagoda.jobs import store
from pagoda.jobs.models import Job
from pagoda_plugin_sdk.operations import JobStatus

if TYPE_CHECKING:
    from core.tests.jobs.conftest import Jobs


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host runs already, and its logging is pytest's."""
    monkeypatch.setattr(command, "set_up", lambda **_: None)


def run(*arguments: str | int) -> Result:
    return CliRunner().invoke(command.jobs, [str(argument) for argument in arguments])


def test_jobs_are_listed_newest_first_without_the_hidden(jobs: Jobs) -> None:
    user = User.objects.create(username="ada")
    old, failed = jobs.queued(user=user, text="by hand"), jobs.running()
    jobs.queued("only_one")
    store.finish(failed[1], JobStatus.ERROR, error="no stock")

    lines = run("list").output.splitlines()

    assert lines[0].split() == [
        "ID",
        "OPERATION",
        "USER",
        "STATUS",
        "PHASE",
        "PROGRESS",
        "ATTEMPT",
        "CREATED",
        "TEXT",
    ]
    assert [line.split()[:5] for line in lines[1:]] == [
        [str(failed[0].pk), "shop.restock", "-", "error", "finished"],
        [str(old.pk), "shop.restock", "ada", "processing", "queued"],
    ]
    assert lines[1].endswith("no stock")
    assert lines[2].endswith("by hand")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--all"], [4, 3, 2, 1]),
        (["--limit", 1], [3]),
        (["--before", 3], [2, 1]),
        (["--status", "canceled"], [2]),
        (["--plugin", "shop", "--limit", 2], [3, 2]),
        (["--plugin", "core"], []),
    ],
)
def test_lists_can_be_narrowed(jobs: Jobs, options: list[str | int], expected: list[int]) -> None:
    made = [jobs.queued() for _ in range(3)]
    made.append(jobs.queued("only_one"))
    store.cancel(made[1])
    numbers = {job.pk: number for number, job in enumerate(made, 1)}
    pks = {number: pk for pk, number in numbers.items()}
    if "--before" in options:
        options = ["--before", pks[3]]

    lines = run("list", "--json", *options).output.splitlines()

    assert [numbers[json.loads(line)["id"]] for line in lines] == expected


def test_no_jobs_are_told(jobs: Jobs) -> None:
    assert run("list").output == "No jobs.\n"


def test_a_job_is_shown_with_its_log_and_traceback(jobs: Jobs) -> None:
    job, attempt = jobs.running(params={"n": 1})
    lines = [
        store.JobLogLine(level="info", message="counting"),
        store.JobLogLine(
            level="error", message="ValueError: no stock", extra={"traceback": "Traceback ...\n"}
        ),
    ]
    store.add_log(job.pk, 1, lines)
    store.finish(attempt, JobStatus.ERROR, error="ValueError: no stock")

    output = run("show", job.pk).output

    facts = dict(line.split(maxsplit=1) for line in output.splitlines() if len(line.split()) > 1)
    assert (facts["operation_name"], facts["phase"], facts["attempt"]) == (
        "restock",
        "finished",
        "1 of 3, run 1",
    )
    assert facts["params"] == '{"n": 1}'
    assert "info     counting" in output
    assert "Traceback ..." in output


def test_a_job_is_shown_as_json(jobs: Jobs) -> None:
    job = jobs.queued()

    shown = json.loads(run("show", "--json", job.pk).output)

    assert (shown["id"], shown["queue"], shown["log"]) == (job.pk, "plugin.shop", [])


def test_jobs_are_cancelled(jobs: Jobs) -> None:
    queued, (running, _) = jobs.queued(), jobs.running()

    result = run("cancel", queued.pk, running.pk)

    assert result.output == f"job {queued.pk}: finished\njob {running.pk}: canceling\n"
    queued.refresh_from_db()
    assert (queued.status, queued.text) == (JobStatus.CANCELED, "cancelled by an operator")


def test_jobs_are_retried_and_requeued(jobs: Jobs) -> None:
    failed, (running, attempt) = jobs.queued(), jobs.running()
    store.cancel(failed)

    assert run("retry", failed.pk).output == f"job {failed.pk}: queued\n"
    assert run("requeue", running.pk).output == f"job {running.pk}: queued\n"

    assert not store.finish(attempt, JobStatus.DONE)
    assert set(Job.objects.values_list("status", flat=True)) == {JobStatus.PROCESSING}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cancel", "can't be cancelled: it finished as DONE."),
        ("retry", "can't run again: it is DONE, expected ERROR, TIMEOUT, CANCELED or WARNING."),
        ("requeue", "can't be queued: it finished as DONE. Use retry."),
    ],
)
def test_what_a_jobs_state_does_not_allow_is_told(jobs: Jobs, name: str, message: str) -> None:
    job, attempt = jobs.running()
    store.finish(attempt, JobStatus.DONE)

    result = run(name, job.pk)

    assert (result.exit_code, result.stderr) == (1, f"Error: Job {job.pk} {message}\n")


@pytest.mark.parametrize("name", ["show", "cancel", "retry", "requeue"])
def test_a_job_that_does_not_exist_is_told(jobs: Jobs, name: str) -> None:
    result = run(name, 4711)

    assert result.exit_code == 1
    assert result.stderr == "Error: There is no job 4711. `pagoda jobs list` shows those there are.\n"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pagoda.jobs import store
from pagoda.jobs.job_errors import (
    JobAlreadyFinished,
    JobConflict,
    JobNotCancelable,
    JobNotQueued,
    JobNotRetryable,
)
from pagoda.jobs.models import Job
from pagoda.jobs.testing import RecordingPublisher
from pagoda.jobs.transitions import Phase
from pagoda_plugin_sdk.operations import JobStatus

if TYPE_CHECKING:
    from core.tests.jobs.conftest import Jobs

OTHER_ENDINGS = [JobStatus.DONE, JobStatus.ERROR, JobStatus.TIMEOUT, JobStatus.WARNING]


@pytest.mark.parametrize("state", ["created", "queued"])
def test_a_job_that_no_worker_has_is_cancelled_at_once(jobs: Jobs, state: str) -> None:
    job: Job = getattr(jobs, state)()

    assert store.cancel(job, text="cancelled by ada") == Phase.FINISHED

    assert (job.status, job.text) == (JobStatus.CANCELED, "cancelled by ada")
    assert job.finished_at is not None
    assert store.claim(job.pk, "node/1", 30) is None


def test_a_waiting_and_a_scheduled_job_can_be_cancelled(jobs: Jobs) -> None:
    waiting = jobs.queued(depend_on=jobs.queued())
    scheduled, attempt = jobs.running("stubborn")
    store.fail_attempt(attempt, error="no")

    assert [store.cancel(job) for job in (waiting, scheduled)] == [Phase.FINISHED, Phase.FINISHED]
    assert store.release_dependents() == 0


def test_a_running_job_is_asked_to_stop(jobs: Jobs) -> None:
    job, attempt = jobs.running()

    assert store.cancel(job) == Phase.CANCELING

    assert (job.status, job.phase) == (JobStatus.PROCESSING, Phase.CANCELING)
    assert store.finish_canceled(attempt)


def test_cancelling_is_idempotent(jobs: Jobs) -> None:
    running, _ = jobs.running()
    queued = jobs.queued()
    store.cancel(running)
    asked_at = running.cancel_requested_at
    store.cancel(queued)

    assert store.cancel(running) == Phase.CANCELING
    assert store.cancel(queued) == Phase.FINISHED
    assert running.cancel_requested_at == asked_at


@pytest.mark.parametrize("status", OTHER_ENDINGS)
def test_a_finished_job_cannot_be_cancelled(jobs: Jobs, status: JobStatus) -> None:
    job, attempt = jobs.running()
    store.finish(attempt, status)

    with pytest.raises(JobAlreadyFinished) as raised:
        store.cancel(job)

    assert isinstance(raised.value, JobConflict)
    assert raised.value.code == "job_already_finished"
    assert str(raised.value) == f"Job {job.pk} can't be cancelled: it finished as {status.name}."


def test_an_operation_may_forbid_cancelling(jobs: Jobs) -> None:
    job = jobs.queued("side_by_side")

    with pytest.raises(
        JobNotCancelable, match="'side_by_side' is not among the cancelable operations of 'shop'"
    ):
        store.cancel(job)


def test_a_job_of_a_plugin_that_is_gone_can_be_cancelled(jobs: Jobs) -> None:
    job = jobs.queued("side_by_side")
    Job.objects.filter(pk=job.pk).update(operation=9999)
    job.refresh_from_db()

    assert store.cancel(job) == Phase.FINISHED


@pytest.mark.parametrize(
    "status", [JobStatus.ERROR, JobStatus.TIMEOUT, JobStatus.CANCELED, JobStatus.WARNING]
)
def test_a_failed_job_runs_again_with_all_its_tries(
    jobs: Jobs, publisher: RecordingPublisher, committed: Any, status: JobStatus
) -> None:
    job, attempt = jobs.running("stubborn", text="first")
    store.finish(attempt, status, error="no", result={"n": 1})

    with committed():
        store.retry(job)

    assert publisher.job_ids[-1:] == [job.pk]
    assert (job.phase, job.error, job.text, job.result, job.finished_at) == (Phase.QUEUED, "", "", None, None)
    again = jobs.claimed(job)
    assert (again.number, again.tries) == (2, 1)
    assert not store.finish(attempt, JobStatus.DONE)


def test_a_job_that_was_cancelled_while_it_ran_can_run_again(jobs: Jobs) -> None:
    job, attempt = jobs.running()
    store.cancel(job)
    store.finish_canceled(attempt)

    store.retry(job)

    assert store.is_asked_to_stop(jobs.claimed(job)) is False


@pytest.mark.parametrize("state", ["created", "queued"])
def test_a_job_that_has_not_ended_cannot_be_retried(jobs: Jobs, state: str) -> None:
    job: Job = getattr(jobs, state)()

    with pytest.raises(
        JobNotRetryable, match=rf"Job {job.pk} can't run again: it is P[A-Z]+, expected ERROR"
    ):
        store.retry(job)


def test_a_job_that_is_done_cannot_be_retried(jobs: Jobs) -> None:
    job, attempt = jobs.running()
    store.finish(attempt, JobStatus.DONE)

    with pytest.raises(JobNotRetryable, match="it is DONE"):
        store.retry(job)


def test_a_singleton_is_not_retried_beside_another(jobs: Jobs) -> None:
    job = jobs.queued("only_one")
    store.finish(jobs.claimed(job), JobStatus.ERROR)
    jobs.queued("only_one")

    with pytest.raises(JobNotRetryable, match="another unfinished job of 'only_one' exists"):
        store.retry(job)


def test_requeue_publishes_a_queued_job_anew(
    jobs: Jobs, publisher: RecordingPublisher, committed: Any
) -> None:
    job = jobs.queued()

    with committed():
        store.requeue(job)

    assert publisher.job_ids == [job.pk]


def test_requeue_runs_a_created_job(jobs: Jobs, publisher: RecordingPublisher, committed: Any) -> None:
    job = jobs.created()

    with committed():
        store.requeue(job)

    assert (publisher.job_ids, job.phase) == ([job.pk], Phase.QUEUED)


def test_requeue_takes_a_job_from_its_worker(jobs: Jobs) -> None:
    job, attempt = jobs.running()

    store.requeue(job)

    assert not store.finish(attempt, JobStatus.DONE)
    assert (job.phase, jobs.claimed(job, "other/1").tries) == (Phase.QUEUED, 1)


def test_requeue_leaves_a_waiting_job_to_its_dependency(
    jobs: Jobs, publisher: RecordingPublisher, committed: Any
) -> None:
    job = jobs.queued(depend_on=jobs.queued())

    with committed():
        store.requeue(job)

    assert (job.phase, publisher.sent) == (Phase.WAITING, [])


def test_a_finished_job_is_not_requeued(jobs: Jobs) -> None:
    job, attempt = jobs.running()
    store.finish(attempt, JobStatus.DONE)

    with pytest.raises(JobNotQueued, match=r"it finished as DONE\. Use retry\."):
        store.requeue(job)

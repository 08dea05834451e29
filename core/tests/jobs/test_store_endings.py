from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction

from pagoda.jobs import store
from pagoda.jobs.models import Job, JobFile, JobLog
from pagoda.jobs.store import Failure
from pagoda.jobs.transitions import FINISHED, Phase
from pagoda_plugin_sdk.operations import JobStatus

if TYPE_CHECKING:
    from core.tests.jobs.conftest import Jobs
    from pagoda.jobs.store import Attempt


@pytest.mark.parametrize("status", FINISHED)
def test_a_worker_ends_its_job(jobs: Jobs, status: JobStatus) -> None:
    job, attempt = jobs.running()

    assert store.finish(attempt, status, text="told", error="why", result={"n": 1})

    job.refresh_from_db()
    assert (job.status, job.phase, job.text, job.error, job.result) == (
        status, Phase.FINISHED, "told", "why", {"n": 1},
    )  # fmt: skip
    assert job.finished_at is not None
    assert (job.lease_owner, job.lease_expires_at, job.publish_at) == ("", None, None)
    assert job.progress_percent == (100 if status == JobStatus.DONE else 0)


def test_no_text_leaves_the_text(jobs: Jobs) -> None:
    job, attempt = jobs.running(text="asked for by hand")

    store.finish(attempt, JobStatus.DONE)

    job.refresh_from_db()
    assert (job.text, job.result) == ("asked for by hand", None)


def take_over(jobs: Jobs, job: Job) -> None:
    store.requeue(job)
    jobs.claimed(job, "other/1")


def end(jobs: Jobs, job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(status=JobStatus.DONE)


WRITES: dict[str, Callable[[Attempt], Any]] = {
    "finish": lambda attempt: store.finish(attempt, JobStatus.DONE),
    "fail": lambda attempt: store.fail_attempt(attempt, error="late") is not Failure.FENCED,
    "lose": lambda attempt: store.lose(attempt, cause="late") is not Failure.FENCED,
    "end_killed": store.end_killed,
    "time_out": store.time_out,
    "release": lambda attempt: store.release(attempt, reason="late"),
    "finish_canceled": store.finish_canceled,
    "progress": lambda attempt: store.set_progress(attempt, 99, "late"),
    "text": lambda attempt: store.set_text(attempt, "late"),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("change", [take_over, end])
def test_a_worker_that_lost_its_claim_changes_nothing(
    jobs: Jobs, write: Callable[[Attempt], Any], change: Callable[[Jobs, Job], None]
) -> None:
    job, attempt = jobs.running("stubborn")
    change(jobs, job)
    before = Job.objects.filter(pk=job.pk).values().get()

    assert not write(attempt)

    assert Job.objects.filter(pk=job.pk).values().get() == before


def test_a_failure_is_final_unless_the_task_asked_for_tries(jobs: Jobs) -> None:
    job, attempt = jobs.running()

    assert store.fail_attempt(attempt, error="ValueError: no") is Failure.ENDED

    job.refresh_from_db()
    assert (job.status, job.error) == (JobStatus.ERROR, "ValueError: no")


def test_a_failure_is_tried_again_with_growing_pauses_until_no_try_is_left(jobs: Jobs) -> None:
    job, attempt = jobs.running("stubborn")
    pauses = []
    for _ in range(2):
        assert store.fail_attempt(attempt, error="ValueError: no") is Failure.RETRIED
        job.refresh_from_db()
        assert (job.phase, job.error, job.published_at) == (Phase.SCHEDULED, "ValueError: no", None)
        assert store.claim(job.pk, "node/1", 30) is None
        assert job.run_at is not None
        pauses.append((job.run_at - job.updated_at).total_seconds())
        jobs.past(job, "run_at")
        attempt = jobs.claimed(job)

    assert store.fail_attempt(attempt, error="ValueError: still no") is Failure.ENDED
    job.refresh_from_db()
    assert pauses == [pytest.approx(10, abs=0.1), pytest.approx(20, abs=0.1)]
    assert (job.status, job.error, job.attempt) == (JobStatus.ERROR, "ValueError: still no", 3)


def test_a_job_that_is_to_stop_is_not_tried_again(jobs: Jobs) -> None:
    job, attempt = jobs.running("stubborn")
    store.cancel(job)

    assert store.fail_attempt(attempt, error="ValueError: no") is Failure.ENDED

    job.refresh_from_db()
    assert job.status == JobStatus.CANCELED


def test_a_lost_worker_puts_its_job_back_into_the_queue(jobs: Jobs) -> None:
    job, attempt = jobs.running()
    task_id = job.task_id

    assert store.lose(attempt, cause="killed") is Failure.RETRIED

    job.refresh_from_db()
    assert (job.phase, job.lost_count, job.error) == (Phase.QUEUED, 1, "worker lost: killed")
    assert job.task_id != task_id
    assert jobs.claimed(job).number == 2


def test_a_job_that_loses_every_worker_is_poison(jobs: Jobs) -> None:
    job = jobs.queued()
    for _ in range(3):
        outcome = store.lose(jobs.claimed(job), cause="killed by signal 9")

    job.refresh_from_db()
    assert outcome is Failure.ENDED
    assert (job.status, job.error) == (
        JobStatus.ERROR, "worker lost 3 times (poison): killed by signal 9",
    )  # fmt: skip


def test_a_job_that_is_to_stop_ends_with_its_lost_worker(jobs: Jobs) -> None:
    job, attempt = jobs.running()
    store.cancel(job)

    assert store.lose(attempt, cause="killed") is Failure.ENDED

    job.refresh_from_db()
    assert job.status == JobStatus.CANCELED


def test_a_killed_task_ends_in_timeout(jobs: Jobs) -> None:
    job, attempt = jobs.running()

    assert store.end_killed(attempt)

    job.refresh_from_db()
    assert (job.status, job.error) == (JobStatus.TIMEOUT, "ran past its hard limit of 3600 s")


def test_a_task_killed_for_not_stopping_ends_canceled(jobs: Jobs) -> None:
    job, attempt = jobs.running()
    store.cancel(job)

    assert store.end_killed(attempt)

    job.refresh_from_db()
    assert job.status == JobStatus.CANCELED
    assert "was killed" in job.text


def test_a_job_given_back_keeps_its_tries(jobs: Jobs) -> None:
    job, attempt = jobs.running()

    assert store.release(attempt, reason="its worker was stopped")

    job.refresh_from_db()
    assert (job.phase, job.hold_reason) == (Phase.QUEUED, "its worker was stopped")
    again = jobs.claimed(job)
    assert (again.number, again.tries) == (2, 1)


def test_canceled_is_no_ending_unless_somebody_asked_for_it(jobs: Jobs) -> None:
    job, attempt = jobs.running()

    assert not store.finish_canceled(attempt)
    store.cancel(job)
    assert store.finish_canceled(attempt)


@pytest.mark.parametrize(
    ("told", "kept"), [(40, 40), (-1, 0), (140, 100), (float("nan"), 0), (float("inf"), 0)]
)
def test_progress_is_kept_between_0_and_100(jobs: Jobs, told: float, kept: float) -> None:
    job, attempt = jobs.running()

    assert store.set_progress(attempt, told, "x" * 300)

    job.refresh_from_db()
    assert (job.progress_percent, len(job.progress_text)) == (kept, 200)


def test_a_file_replaces_the_one_before(jobs: Jobs) -> None:
    job, attempt = jobs.running()

    for content in (b"first", b"second one"):
        with transaction.atomic():
            assert store.attach_file(attempt, name="stock.csv", content=content, content_type="text/csv")

    job.refresh_from_db()
    assert (job.file_name, job.file_type, job.file_size) == ("stock.csv", "text/csv", 10)
    assert bytes(JobFile.objects.get(job=job).content) == b"second one"


def test_a_file_of_a_lost_attempt_is_not_kept(jobs: Jobs) -> None:
    job, attempt = jobs.running()
    store.requeue(job)

    with transaction.atomic():
        assert not store.attach_file(attempt, name="stock.csv", content=b"", content_type="text/csv")

    assert not JobFile.objects.exists()


def test_log_lines_stay_with_the_job_in_order(jobs: Jobs) -> None:
    job, _ = jobs.running()

    store.add_log(job.pk, 1, [store.JobLogLine(level="info", message=m, extra={"m": m}) for m in ("a", "b")])

    assert list(JobLog.objects.filter(job=job).values_list("message", "attempt", "extra")) == [
        ("a", 1, {"m": "a"}),
        ("b", 1, {"m": "b"}),
    ]

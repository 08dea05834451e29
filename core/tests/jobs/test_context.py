from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction

from pagoda.domain.entity.models import Entity
from pagoda.jobs import operations, plugin_host, store
from pagoda.jobs.context import REPORT_SECONDS, TaskContext
from pagoda.jobs.execution import Execution
from pagoda.jobs.foreign import FILE_MAX_BYTES
from pagoda.jobs.job_errors import InvalidParams, JobLost
from pagoda.jobs.models import Job, JobFile, JobLog
from pagoda.jobs.testing import RecordingPublisher, plugin_tasks
from pagoda.jobs.transitions import Phase
from pagoda_plugin_sdk.exceptions import JobCanceled, JobTimeLimitExceeded
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.tasks import JobContext, plugin_task

if TYPE_CHECKING:
    from core.tests.jobs.conftest import Jobs


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def context(attempt: store.Attempt, clock: Clock) -> TaskContext:
    return TaskContext(Execution(attempt), clock=clock)


@pytest.mark.django_db(transaction=True)
class TestWithTransactionsOfItsOwn:
    def test_progress_is_stored_at_most_twice_a_second(self, jobs: Jobs, clock: Clock) -> None:
        job, attempt = jobs.running()
        task = context(attempt, clock)

        stored = []
        for percent in (10, 20, 30):
            task.progress(percent, f"at {percent}")
            job.refresh_from_db()
            stored.append(job.progress_percent)
            clock.now += REPORT_SECONDS * 0.6

        assert stored == [10, 10, 30]
        assert job.progress_text == "at 30"

    def test_progress_inside_a_transaction_waits_for_its_end(self, jobs: Jobs, clock: Clock) -> None:
        job, attempt = jobs.running()
        task = context(attempt, clock)

        with transaction.atomic():
            task.progress(10)
            job.refresh_from_db()
            assert job.progress_percent == 0
        task.progress(20)

        job.refresh_from_db()
        assert job.progress_percent == 20

    def test_log_lines_survive_a_rollback(self, jobs: Jobs, clock: Clock) -> None:
        job, attempt = jobs.running()
        task = context(attempt, clock)

        with transaction.atomic():
            task.log.info("inside", step=1)
            transaction.set_rollback(True)
        task.log.warning("after")

        lines = JobLog.objects.filter(job=job).values_list("level", "message", "extra", "attempt")
        assert list(lines) == [("info", "inside", {"step": 1}, 1), ("warning", "after", {}, 1)]

    def test_an_end_and_other_writes_are_stored_together(self, jobs: Jobs, clock: Clock) -> None:
        job, attempt = jobs.running()

        with transaction.atomic():
            Entity.objects.create(name="effect")
            context(attempt, clock).finish(text="all", result={"n": 1})

        job.refresh_from_db()
        assert (job.status, job.text, job.result) == (JobStatus.DONE, "all", {"n": 1})
        assert Entity.objects.filter(name="effect").exists()

    def test_an_end_after_the_claim_is_lost_stores_nothing(self, jobs: Jobs, clock: Clock) -> None:
        job, attempt = jobs.running()
        store.requeue(job)

        def work() -> None:
            with transaction.atomic():
                Entity.objects.create(name="effect")
                context(attempt, clock).finish()

        with pytest.raises(JobLost):
            work()
        assert not Entity.objects.exists()

    def test_a_fence_lets_nothing_through_once_the_claim_is_lost(self, jobs: Jobs, clock: Clock) -> None:
        job, attempt = jobs.running()
        task = context(attempt, clock)
        with task.fence():
            Entity.objects.create(name="in time")
        store.requeue(job)

        with pytest.raises(JobLost, match=f"Attempt 1 of job {job.pk} has lost its claim"), task.fence():
            Entity.objects.create(name="too late")

        assert [entity.name for entity in Entity.objects.all()] == ["in time"]


def test_a_task_sees_its_job(jobs: Jobs, clock: Clock) -> None:
    entity = Entity.objects.create(name="customer")
    job, attempt = jobs.running(params={"n": 1}, target=entity)

    task: JobContext = context(attempt, clock)

    assert (task.id, task.attempt, task.user, task.target, task.params) == (job.pk, 1, None, entity, {"n": 1})


def test_params_that_are_no_object_are_refused(jobs: Jobs, clock: Clock) -> None:
    _, attempt = jobs.running(params="[1]")

    with pytest.raises(InvalidParams, match=r"are \[1\], expected a JSON object"):
        _ = context(attempt, clock).params


def test_a_checkpoint_lets_a_wanted_job_go_on(
    jobs: Jobs, clock: Clock, django_assert_num_queries: Any
) -> None:
    _, attempt = jobs.running()
    task = context(attempt, clock)

    with django_assert_num_queries(1):
        for _ in range(100):
            task.checkpoint()

    clock.now += REPORT_SECONDS
    with django_assert_num_queries(1):
        task.checkpoint()


def test_a_checkpoint_stops_a_cancelled_job(jobs: Jobs, clock: Clock) -> None:
    job, attempt = jobs.running()
    store.cancel(job)

    with pytest.raises(JobCanceled, match=f"Job {job.pk} was cancelled"):
        context(attempt, clock).checkpoint()


def test_a_checkpoint_stops_a_job_that_another_worker_has(jobs: Jobs, clock: Clock) -> None:
    job, attempt = jobs.running()
    store.requeue(job)

    with pytest.raises(JobLost):
        context(attempt, clock).checkpoint()


def test_a_checkpoint_stops_a_job_past_its_soft_limit(jobs: Jobs, clock: Clock) -> None:
    _, attempt = jobs.running()
    task = context(attempt, clock)
    clock.now = attempt.soft_limit_seconds + 1

    with pytest.raises(JobTimeLimitExceeded, match="ran past its soft limit of 3240 s"):
        task.checkpoint()


def test_extra_of_log_lines_is_kept_as_json_and_cut(jobs: Jobs, clock: Clock) -> None:
    job, attempt = jobs.running()
    log = context(attempt, clock).log

    log.info("m" * 20_000, what=Entity(name="customer"))
    log.debug("large", content="x" * 30_000)
    log.store()

    first, second = JobLog.objects.filter(job=job)
    assert (len(first.message), first.extra) == (10_000, {"what": "customer"})
    assert second.level == "debug"
    assert second.extra["content"] == "x" * (20_000 - 11 - 23) + "... (30,000 characters)"


@plugin_task(0)
def export(job: Any) -> None: ...


@plugin_task(1)
def plain(job: Any) -> None: ...


@pytest.fixture
def exporting(db: None, publisher: RecordingPublisher) -> Any:
    with plugin_tasks("files", [export, plain], first=6200, downloadable_operations=["export"]):
        yield


def claimed(name: str) -> store.Attempt:
    operation = operations.resolve_name("files", name)
    attempt = store.claim(store.submit(store.JobRequest(operation=operation)).pk, "node/1", 30)
    assert attempt is not None
    return attempt


def test_a_downloadable_job_carries_a_file(exporting: None, clock: Clock) -> None:
    attempt = claimed("export")

    context(attempt, clock).attach_file("stock.csv", b"a,b\n", "text/csv")

    job = Job.objects.get(pk=attempt.job_id)
    assert (job.file_name, job.file_type, job.file_size) == ("stock.csv", "text/csv", 4)
    assert bytes(JobFile.objects.get(job=job).content) == b"a,b\n"


def test_another_job_carries_none(exporting: None, clock: Clock) -> None:
    with pytest.raises(InvalidParams, match="operation 'plain' is not downloadable"):
        context(claimed("plain"), clock).attach_file("stock.csv", b"")


def test_a_file_has_a_largest_size(exporting: None, clock: Clock) -> None:
    with pytest.raises(
        InvalidParams, match=f"has {FILE_MAX_BYTES + 1} bytes, expected {FILE_MAX_BYTES} at most"
    ):
        context(claimed("export"), clock).attach_file("stock.csv", bytes(FILE_MAX_BYTES + 1))


def test_a_lost_job_takes_no_file(exporting: None, clock: Clock) -> None:
    attempt = claimed("export")
    store.requeue(Job.objects.get(pk=attempt.job_id))

    with pytest.raises(JobLost):
        context(attempt, clock).attach_file("stock.csv", b"")


def test_follow_ups_are_made_once_however_often_the_job_is_tried(jobs: Jobs, clock: Clock) -> None:
    job, attempt = jobs.running()
    task = context(attempt, clock)
    first = [task.submit("stubborn", {"n": n}) for n in (1, 2)]
    store.release(attempt, reason="stopped")

    task = context(jobs.claimed(job), clock)
    again = [task.submit("stubborn", {"n": n}) for n in (1, 2)]

    assert first == again
    assert {one.phase for one in first} == {Phase.QUEUED}
    assert Job.objects.count() == 3


def test_a_task_has_the_validated_settings_of_its_plugin(
    jobs: Jobs, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the plugin whose queue the job is in; None where no plugin of that id is active."""
    _, attempt = jobs.running()
    task = context(attempt, clock)
    assert task.settings is None

    given = object()
    records = [SimpleNamespace(id="other", settings=1), SimpleNamespace(id="shop", settings=given)]
    host = SimpleNamespace(active=records)
    monkeypatch.setattr(plugin_host, "plugin_host", lambda: host)

    assert task.settings is given

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from pagoda.jobs import store
from pagoda.jobs.models import Job, JobLog, ScheduleTick
from pagoda.jobs.store import Failure
from pagoda.jobs.testing import RecordingPublisher
from pagoda.jobs.transitions import Phase
from pagoda_plugin_sdk.operations import JobStatus

if TYPE_CHECKING:
    from core.tests.jobs.conftest import Jobs

TICK = datetime(2030, 5, 1, 12, 0, tzinfo=UTC)


def due_ids(limit: int = 500) -> list[int]:
    return [due.message.job_id for due in store.due_jobs(limit)]


def test_a_job_whose_lease_ran_out_is_queued_anew(jobs: Jobs) -> None:
    (silent, attempt), (alive, _) = jobs.running(), jobs.running()
    jobs.past(silent, "lease_expires_at")

    expired = store.expire_leases()

    assert [(one.attempt, one.failure) for one in expired] == [(attempt, Failure.RETRIED)]
    silent.refresh_from_db()
    alive.refresh_from_db()
    assert (silent.phase, alive.phase) == (Phase.QUEUED, Phase.RUNNING)
    assert silent.error == "worker lost: no heartbeat from node/1"
    assert store.expire_leases() == []


def test_leases_expire_in_batches(jobs: Jobs) -> None:
    for _ in range(3):
        jobs.past(jobs.running()[0], "lease_expires_at")

    assert [len(store.expire_leases(limit=2)) for _ in range(3)] == [2, 1, 0]


def test_a_job_past_its_hard_limit_is_its_workers_to_end_and_then_ours(jobs: Jobs) -> None:
    (fresh, _), (old, attempt) = jobs.running(), jobs.running()
    jobs.past(fresh, "started_at", 3605)
    jobs.past(old, "started_at", 3611)

    assert store.end_overdue() == [attempt]

    old.refresh_from_db()
    assert (old.status, old.error) == (JobStatus.TIMEOUT, "ran past its hard limit of 3600 s")
    assert not store.finish(attempt, JobStatus.DONE)


@pytest.mark.parametrize("status", [JobStatus.DONE, JobStatus.ERROR, JobStatus.CANCELED])
def test_a_job_is_released_when_what_it_depends_on_ended_in_any_way(jobs: Jobs, status: JobStatus) -> None:
    first, attempt = jobs.running()
    second = jobs.queued(depend_on=first)
    assert store.release_dependents() == 0

    store.finish(attempt, status)

    assert store.release_dependents() == 1
    second.refresh_from_db()
    jobs.due(second)
    assert (second.phase, due_ids()) == (Phase.QUEUED, [second.pk])


def test_a_job_is_released_when_what_it_depends_on_is_gone(jobs: Jobs) -> None:
    first = jobs.queued()
    second = jobs.queued(depend_on=first)
    first.delete()

    assert store.release_dependents() == 1
    second.refresh_from_db()
    assert second.phase == Phase.QUEUED


def test_a_released_job_with_a_time_waits_for_it(jobs: Jobs) -> None:
    first, attempt = jobs.running()
    run_at = timezone.now() + timedelta(hours=1)
    second = jobs.queued(depend_on=first, run_at=run_at)
    store.finish(attempt, JobStatus.DONE)

    store.release_dependents()

    second.refresh_from_db()
    assert (second.phase, second.publish_at) == (Phase.SCHEDULED, run_at)


def test_a_job_is_due_when_no_worker_claimed_it_for_a_while(jobs: Jobs) -> None:
    fresh, old = jobs.queued(), jobs.queued()
    jobs.due(old)

    found = store.due_jobs()

    assert [(due.message, due.is_suspect, due.looks) for due in found] == [(store.message_of(old), True, 0)]
    assert due_ids() == []
    fresh.refresh_from_db()
    assert fresh.publish_count == 0


def test_a_job_is_looked_after_less_and_less_often(jobs: Jobs) -> None:
    job = jobs.queued()
    pauses = []
    for _ in range(6):
        jobs.due(job)
        store.due_jobs()
        job.refresh_from_db()
        assert job.published_at is not None
        assert job.publish_at is not None
        pauses.append((job.publish_at - job.published_at).total_seconds())

    assert pauses == [pytest.approx(seconds, abs=0.1) for seconds in (10, 20, 30, 30, 30, 30)]


def test_nothing_else_is_due(jobs: Jobs) -> None:
    running, _ = jobs.running()
    finished, attempt = jobs.running()
    store.finish(attempt, JobStatus.DONE)
    for job in (jobs.created(), jobs.queued(depend_on=running), running, finished):
        jobs.due(job)

    assert due_ids() == []


def test_the_longest_due_come_first_and_in_batches(jobs: Jobs) -> None:
    made = [jobs.queued() for _ in range(3)]
    for seconds, job in enumerate(made, 1):
        jobs.due(job)
        jobs.past(job, "publish_at", seconds)

    assert [due_ids(2), due_ids(2)] == [[made[2].pk, made[1].pk], [made[0].pk]]


def test_what_could_not_be_published_is_due_again(jobs: Jobs) -> None:
    job = jobs.queued()
    jobs.due(job)
    assert due_ids() == [job.pk]

    store.give_back([job.pk])

    job.refresh_from_db()
    assert job.published_at is None
    jobs.due(job)
    assert [due.is_suspect for due in store.due_jobs()] == [False]


def test_giving_back_leaves_a_claimed_job_alone(jobs: Jobs) -> None:
    job, _ = jobs.running()

    store.give_back([job.pk])

    job.refresh_from_db()
    assert job.publish_at is None


def test_the_queued_are_those_published_and_unclaimed(
    jobs: Jobs, publisher: RecordingPublisher, committed: Any
) -> None:
    with committed():
        claimed, unpublished = jobs.queued(), jobs.queued()
        jobs.queued()
    store.give_back([unpublished.pk])
    jobs.claimed(claimed)

    assert (store.queued_count("plugin.shop"), store.queued_count("core")) == (1, 0)


def test_jobs_of_a_queue_that_lost_messages_are_all_due(jobs: Jobs) -> None:
    waiting, (running, _) = jobs.queued(), jobs.running()
    scheduled = jobs.queued(run_at=timezone.now() + timedelta(hours=1))
    for job in (waiting, running):
        jobs.due(job)
    assert due_ids() == [waiting.pk]

    assert store.look_again("plugin.shop") == 0

    jobs.past(waiting, "published_at", 11)
    assert store.look_again("core") == 0
    assert store.look_again("plugin.shop") == 1

    assert due_ids() == [waiting.pk]
    scheduled.refresh_from_db()
    assert scheduled.phase == Phase.SCHEDULED


def test_old_jobs_are_removed_in_batches_with_what_belongs_to_them(jobs: Jobs) -> None:
    kept_running, _ = jobs.running()
    kept_fresh, attempt = jobs.running()
    store.finish(attempt, JobStatus.DONE)
    old = []
    for _ in range(3):
        job, attempt = jobs.running()
        store.add_log(job.pk, 1, [store.JobLogLine(level="info", message="ran")])
        store.finish(attempt, JobStatus.DONE)
        jobs.past(job, "finished_at", 3600)
        old.append(job)
    never_run = jobs.created()
    jobs.past(never_run, "created_at", 3600)
    dependent = jobs.queued(depend_on=old[0])

    removed = store.purge(timedelta(minutes=30), batch=2)

    assert removed == 4
    assert set(Job.objects.all()) == {kept_running, kept_fresh, dependent}
    assert not JobLog.objects.exists()


def test_ticks_are_removed_with_the_jobs(jobs: Jobs) -> None:
    ScheduleTick.objects.create(schedule="shop.restock", tick=timezone.now() - timedelta(days=40))
    ScheduleTick.objects.create(schedule="shop.restock", tick=timezone.now())

    store.purge(timedelta(days=30))

    assert ScheduleTick.objects.count() == 1


def test_a_tick_starts_one_job(jobs: Jobs) -> None:
    taken = [store.take_tick("shop.restock", TICK, jobs.request()) for _ in range(2)]

    assert taken[0] is not None
    assert taken[1] is None
    assert Job.objects.count() == 1
    assert ScheduleTick.objects.get().job == taken[0]
    assert store.latest_tick("shop.restock") == TICK


def test_a_schedule_without_ticks_has_no_latest(jobs: Jobs) -> None:
    assert store.latest_tick("shop.restock") is None

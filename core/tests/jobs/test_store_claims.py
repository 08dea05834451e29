from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction

from pagoda.domain.entity.models import Entity
from pagoda.jobs import store
from pagoda.jobs.models import Job
from pagoda.jobs.transitions import Phase
from pagoda_plugin_sdk.operations import JobStatus

if TYPE_CHECKING:
    from core.tests.jobs.conftest import Jobs
    from pagoda.jobs.store import Attempt

LEASE = 30.0


def beat(*attempts: Attempt, grace: float = 10.0) -> store.Heartbeat:
    return store.heartbeat(attempts, LEASE, cancel_grace_seconds=grace)


def test_a_claim_makes_a_job_running_and_counts_the_attempt(jobs: Jobs) -> None:
    job = jobs.queued()

    attempt = store.claim(job.pk, store.owner_of("node", 42), LEASE)

    job.refresh_from_db()
    assert attempt is not None
    assert (attempt.job_id, attempt.number, attempt.pid) == (job.pk, 1, 42)
    assert (attempt.plugin, attempt.operation_name, attempt.tries) == ("shop", "restock", 1)
    assert (job.phase, job.lease_owner, job.attempt) == (Phase.RUNNING, "node/42", 1)
    assert job.publish_at is None
    assert job.started_at is not None
    assert job.lease_expires_at is not None
    assert (job.lease_expires_at - job.started_at).total_seconds() == pytest.approx(LEASE, abs=0.1)


def preparing(jobs: Jobs) -> Job:
    return jobs.created()


def claimed(jobs: Jobs) -> Job:
    return jobs.running()[0]


def waiting(jobs: Jobs) -> Job:
    return jobs.queued(depend_on=jobs.queued())


def finished(jobs: Jobs) -> Job:
    job, attempt = jobs.running()
    store.finish(attempt, JobStatus.DONE)
    return job


def canceled(jobs: Jobs) -> Job:
    job = jobs.queued()
    store.cancel(job)
    return job


@pytest.mark.parametrize("make", [preparing, claimed, waiting, finished, canceled])
def test_only_a_queued_job_can_be_claimed(jobs: Jobs, make: Callable[[Jobs], Job]) -> None:
    job = make(jobs)

    assert store.claim(job.pk, "other/1", LEASE) is None


def test_a_job_that_does_not_exist_is_not_claimed(jobs: Jobs) -> None:
    assert store.claim(4711, "node/1", LEASE) is None


def test_one_job_of_a_target_runs_at_a_time_even_if_both_were_queued(jobs: Jobs) -> None:
    target = Entity.objects.create(name="customer")
    first, second = jobs.queued(target=target), jobs.queued(target=target)
    Job.objects.filter(pk=second.pk).update(is_waiting=False)  # as two requests at once would leave it
    attempt = jobs.claimed(first)

    assert store.claim(second.pk, "node/2", LEASE) is None

    second.refresh_from_db()
    assert second.publish_at is not None
    store.finish(attempt, JobStatus.DONE)
    assert jobs.claimed(second).number == 1


def test_a_heartbeat_renews_the_lease(jobs: Jobs) -> None:
    job, attempt = jobs.running()
    jobs.past(job, "lease_expires_at")

    found = beat(attempt)

    assert (found.lost, found.cancel_overdue, found.past_hard_limit) == ((), (), ())
    assert store.expire_leases() == []


def test_a_heartbeat_of_nothing_is_nothing(jobs: Jobs, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert beat().lost == ()


def test_a_heartbeat_tells_which_claims_are_gone(jobs: Jobs) -> None:
    (_, kept), (job, gone) = jobs.running(), jobs.running()
    store.requeue(job)
    again = jobs.claimed(job, "other/1")

    found = beat(kept, gone)

    assert found.lost == (gone,)
    assert beat(again).lost == ()


def test_a_heartbeat_tells_which_jobs_are_to_be_killed_as_they_did_not_stop(jobs: Jobs) -> None:
    (fresh, fresh_attempt), (old, old_attempt), (_, other) = (jobs.running() for _ in range(3))
    store.cancel(fresh)
    store.cancel(old)
    jobs.past(old, "cancel_requested_at", 11)

    found = beat(fresh_attempt, old_attempt, other)

    assert found.cancel_overdue == (old_attempt,)


def test_a_heartbeat_tells_what_is_past_its_hard_limit(jobs: Jobs) -> None:
    (soft, soft_attempt), (hard, hard_attempt), (_, other) = (jobs.running() for _ in range(3))
    jobs.past(soft, "started_at", 3300)
    jobs.past(hard, "started_at", 3601)

    found = beat(soft_attempt, hard_attempt, other)

    assert found.past_hard_limit == (hard_attempt,)


def test_the_attempts_of_a_node_are_those_of_its_processes(jobs: Jobs) -> None:
    mine = [jobs.claimed(jobs.queued(), f"no_de/{pid}") for pid in (1, 2)]
    jobs.claimed(jobs.queued(), "noXde/1")
    jobs.claimed(jobs.queued(), "no_de2/1")

    assert store.attempts_of("no_de") == tuple(mine)


def test_a_lock_holds_only_with_the_claim(jobs: Jobs) -> None:
    job, attempt = jobs.running()
    with transaction.atomic():
        assert store.lock(attempt)

    store.requeue(job)

    with transaction.atomic():
        assert not store.lock(attempt)


def test_an_attempt_learns_whether_it_is_to_stop(jobs: Jobs) -> None:
    job, attempt = jobs.running()
    assert store.is_asked_to_stop(attempt) is False
    store.cancel(job)
    assert store.is_asked_to_stop(attempt) is True
    store.requeue(job)
    assert store.is_asked_to_stop(attempt) is None


def test_a_held_job_stays_queued_with_its_reason(jobs: Jobs) -> None:
    job = jobs.queued()

    store.hold(job.pk, "no worker knows it", delay_seconds=30)

    job.refresh_from_db()
    assert (job.phase, job.hold_reason) == (Phase.QUEUED, "no worker knows it")
    jobs.claimed(job)
    job.refresh_from_db()
    assert job.hold_reason == ""

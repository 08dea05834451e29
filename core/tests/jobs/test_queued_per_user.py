"""How many unfinished jobs one user may have, and what does not count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pagoda.domain.user.models import User
from pagoda.jobs import operations, store
from pagoda.jobs.job_errors import TooManyJobs
from pagoda.jobs.models import Job
from pagoda_plugin_sdk.operations import JobOperation, JobStatus

if TYPE_CHECKING:
    from core.tests.jobs.conftest import Jobs

FULL = (
    "User 'ada' has 3 unfinished jobs and can't have 1 more: at most 3 are allowed.*JOB_MAX_QUEUED_PER_USER"
)


@pytest.fixture
def ada(jobs: Jobs, settings: Any) -> User:
    settings.PAGODA = settings.PAGODA.model_copy(update={"job_max_queued_per_user": 3})
    user = User.objects.create(username="ada")
    Job.objects.submit_many(plugin="shop", operation_name="restock", user=user, params=[{}] * 3)
    return user


def test_one_too_many_is_refused_in_every_way_and_nothing_is_made(ada: User, jobs: Jobs) -> None:
    for refused in (
        lambda: Job.objects.submit(plugin="shop", operation_name="restock", user=ada),
        lambda: Job.objects.submit(plugin="shop", operation_name="only_one", user=ada),
        lambda: Job.objects.submit_many(plugin="shop", operation_name="restock", user=ada, params=[{}]),
        lambda: Job.objects.submit_many(plugin="shop", operation_name="only_one", user=ada, params=[{}]),
        lambda: jobs.created(user=ada),
    ):
        with pytest.raises(TooManyJobs, match=FULL):
            refused()
    assert Job.objects.count() == 3


def test_many_at_once_are_counted_together(ada: User) -> None:
    Job.objects.filter(pk=Job.objects.latest("pk").pk).delete()
    with pytest.raises(TooManyJobs, match="has 2 unfinished jobs and can't have 2 more"):
        Job.objects.submit_many(plugin="shop", operation_name="restock", user=ada, params=[{}] * 2)
    Job.objects.submit_many(plugin="shop", operation_name="restock", user=ada, params=[{}])
    assert Job.objects.count() == 3


def test_each_user_has_a_share_and_a_job_that_ends_gives_it_back(ada: User, jobs: Jobs) -> None:
    jobs.queued(user=User.objects.create(username="eve"))
    store.finish(jobs.claimed(Job.objects.filter(user=ada).earliest("pk")), JobStatus.ERROR)
    failed = Job.objects.get(status=JobStatus.ERROR)
    jobs.queued(user=ada)
    with pytest.raises(TooManyJobs, match=FULL):
        store.retry(failed)
    failed.refresh_from_db()
    assert failed.finished_at is not None


def test_a_key_that_a_job_has_still_finds_it(ada: User, jobs: Jobs) -> None:
    store.cancel(Job.objects.latest("pk"))
    held = jobs.queued(user=ada, idempotency_key="order 7")
    assert jobs.queued(user=ada, idempotency_key="order 7") == held


def test_what_the_host_does_itself_is_free(ada: User, jobs: Jobs) -> None:
    jobs.queued()
    for number in (JobOperation.RUN_DEFERRED_HOOK, JobOperation.CANARY):
        store.submit(store.JobRequest(operation=operations.resolve(number), plugin="shop", user=ada))
    with pytest.raises(TooManyJobs):  # what somebody asks the host for is not
        store.submit(store.JobRequest(operation=operations.resolve(JobOperation.EXPORT_ENTRIES), user=ada))


@pytest.mark.bounds
def test_counting_is_one_query_by_its_index(ada: User, jobs: Jobs, settings: Any) -> None:
    settings.PAGODA = settings.PAGODA.model_copy(update={"job_max_queued_per_user": 10_000})
    with CaptureQueriesContext(connection) as free:
        jobs.queued()
    with CaptureQueriesContext(connection) as counted:
        jobs.queued(user=ada)
    assert len(counted) == len(free) + 1
    sql = next(query["sql"] for query in counted if "AS unfinished" in query["sql"])
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")  # of three rows
        cursor.execute(f"{explain} {sql}")
        assert "job_user_open" in str(cursor.fetchall())

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction
from django.utils import timezone

from pagoda.domain.entity.models import Entity
from pagoda.domain.user.models import User
from pagoda.jobs import operations, store
from pagoda.jobs.job_errors import InvalidParams, UnknownOperation
from pagoda.jobs.models import Job
from pagoda.jobs.testing import RecordingPublisher, plugin_tasks
from pagoda.jobs.transitions import Phase
from pagoda_plugin_sdk.operations import JobOperation, JobStatus, JobTarget
from pagoda_plugin_sdk.tasks import plugin_task

if TYPE_CHECKING:
    from core.tests.jobs.conftest import Jobs

Committed = Callable[[], Any]


@pytest.fixture
def entity(db: None) -> Entity:
    return Entity.objects.create(name="customer")


def test_a_created_job_waits_to_be_run(
    jobs: Jobs, publisher: RecordingPublisher, committed: Committed
) -> None:
    with committed():
        job = jobs.created()

    assert (job.status, job.phase, job.publish_at) == (JobStatus.PREPARING, Phase.PREPARING, None)
    assert publisher.sent == []


def test_a_submitted_job_is_published_on_commit(
    jobs: Jobs, publisher: RecordingPublisher, committed: Committed
) -> None:
    with committed():
        job = jobs.queued()
        assert publisher.sent == []

    message = publisher.sent[0]
    assert publisher.job_ids == [job.pk]
    assert (message.task_name, message.queue, message.plugin) == ("shop.restock", "plugin.shop", "shop")
    job.refresh_from_db()
    assert (job.phase, message.task_id) == (Phase.QUEUED, job.task_id)
    assert job.published_at is not None
    assert job.published_at == job.created_at == job.publish_at


@pytest.mark.django_db(transaction=True)
def test_a_rollback_publishes_nothing(shop: None, publisher: RecordingPublisher) -> None:
    request = store.JobRequest(operation=operations.resolve_name("shop", "restock"))

    with transaction.atomic():
        store.submit(request)
        transaction.set_rollback(True)

    assert publisher.sent == []
    assert Job.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_outside_of_a_transaction_a_job_is_published_at_once(
    shop: None, publisher: RecordingPublisher
) -> None:
    job = Job.objects.submit(plugin="shop", operation_name="restock", user=None)

    assert publisher.job_ids == [job.pk]


def test_a_broker_that_is_away_leaves_the_job_for_the_dispatcher(
    jobs: Jobs, publisher: RecordingPublisher, committed: Committed
) -> None:
    publisher.capacity = 0

    with committed():
        job = jobs.queued()

    job.refresh_from_db()
    assert (job.phase, job.published_at) == (Phase.QUEUED, None)
    jobs.due(job)
    assert [(due.message.job_id, due.is_suspect) for due in store.due_jobs()] == [(job.pk, False)]


def test_run_queues_a_created_job_once(
    jobs: Jobs, publisher: RecordingPublisher, committed: Committed
) -> None:
    job = jobs.created()

    with committed():
        assert store.run(job) is True
        assert store.run(job) is False

    assert publisher.job_ids == [job.pk]
    job.refresh_from_db()
    assert (job.status, job.phase) == (JobStatus.PROCESSING, Phase.QUEUED)


def test_a_job_keeps_what_it_was_asked_with(
    jobs: Jobs, django_user_model: type[User], entity: Entity
) -> None:
    user = django_user_model.objects.create(username="ada")

    job = jobs.queued(user=user, params={"names": ["a"]}, target=entity, text="restocking")

    job = Job.objects.get(pk=job.pk)
    assert (job.user, job.target, job.target_type, job.text) == (user, entity, JobTarget.ENTITY, "restocking")
    assert json.loads(job.params) == {"names": ["a"]}
    assert (job.plugin, job.operation_name, job.operation) == ("shop", "restock", 5000)


def test_params_may_be_json_text(jobs: Jobs) -> None:
    assert jobs.queued(params='{"a": 1}').params == '{"a": 1}'


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"params": {"when": object()}},
            "Params of a job can't be stored: params['when'] is object",
        ),
        ({"target": "customer"}, "Target of a job is 'customer', expected an entry, an entity or None."),
    ],
    ids=["params", "target"],
)
def test_what_cannot_be_stored_is_refused(jobs: Jobs, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParams, match=re.escape(message)):
        jobs.queued(**fields)

    assert Job.objects.count() == 0


@pytest.mark.parametrize(
    ("plugin", "name", "message"),
    [
        ("shop", "restok", "Plugin 'shop' has no operation 'restok'. Did you mean 'restock'?"),
        ("shoop", "restock", "Plugin 'shoop' has no tasks. Did you mean 'shop'?"),
        ("", "restock", "The host has no operation 'restock'. It has: canary, convert_values, "),
    ],
    ids=["operation", "plugin", "host"],
)
def test_an_unknown_operation_is_named_with_what_is_close(
    jobs: Jobs, plugin: str, name: str, message: str
) -> None:
    with pytest.raises(UnknownOperation) as raised:
        Job.objects.submit(plugin=plugin, operation_name=name, user=None)

    assert str(raised.value).startswith(message)


def test_limits_and_tries_come_from_the_task_then_from_the_settings(jobs: Jobs, publisher: Any) -> None:
    @plugin_task(0, soft_time_limit_seconds=4, hard_time_limit_seconds=5, max_attempts=7)
    def quick(job: Any) -> None: ...

    @plugin_task(1, hard_time_limit_seconds=10)
    def only_hard(job: Any) -> None: ...

    @plugin_task(2, retry_backoff_seconds=2)
    def only_backoff(job: Any) -> None: ...

    with plugin_tasks("timed", [quick, only_hard, only_backoff], first=6000):
        made = [
            Job.objects.submit(plugin="timed", operation_name=n, user=None)
            for n in ("quick", "only_hard", "only_backoff")
        ]

    facts = [
        (j.soft_limit_seconds, j.hard_limit_seconds, j.max_attempts, j.retry_backoff_seconds) for j in made
    ]
    assert facts == [(4, 5, 7, 5.0), (9, 10, 3, None), (3240, 3600, 3, 2)]
    plain = jobs.queued()
    assert (plain.max_attempts, plain.retry_backoff_seconds) == (3, None)


def test_the_same_idempotency_key_returns_the_same_job(
    jobs: Jobs, publisher: RecordingPublisher, committed: Committed
) -> None:
    with committed():
        first = jobs.queued(idempotency_key="order 7")
        second = jobs.queued(idempotency_key="order 7")

    assert first == second
    assert publisher.job_ids == [first.pk]


def test_an_idempotency_key_belongs_to_one_operation(jobs: Jobs) -> None:
    assert jobs.queued(idempotency_key="7") != jobs.queued("stubborn", idempotency_key="7")


def test_a_key_counts_after_its_job_finished(jobs: Jobs) -> None:
    job, attempt = jobs.running(idempotency_key="7")
    store.finish(attempt, JobStatus.DONE)

    assert jobs.queued(idempotency_key="7") == job


def test_a_singleton_has_one_unfinished_job(jobs: Jobs) -> None:
    first = jobs.queued("only_one")
    assert jobs.queued("only_one") == first

    store.finish(jobs.claimed(first), JobStatus.DONE)

    assert jobs.queued("only_one") != first


def test_a_singleton_key_separates_jobs_of_one_operation(jobs: Jobs) -> None:
    first, second = (jobs.queued(singleton_key=key) for key in ("a", "b"))

    assert first != second
    assert jobs.queued(singleton_key="a") == first


def test_jobs_of_one_target_wait_for_the_one_before(
    jobs: Jobs, entity: Entity, publisher: RecordingPublisher, committed: Committed
) -> None:
    with committed():
        first, second, third = (jobs.queued(target=entity) for _ in range(3))

    assert (second.depend_on, third.depend_on) == (first, second)
    assert [job.phase for job in (first, second, third)] == [Phase.QUEUED, Phase.WAITING, Phase.WAITING]
    assert publisher.job_ids == [first.pk]


@pytest.mark.parametrize("name", ["side_by_side", "stubborn"], ids=["parallelizable", "other operation"])
def test_jobs_that_may_run_side_by_side_do_not_wait(jobs: Jobs, entity: Entity, name: str) -> None:
    jobs.queued("restock" if name == "stubborn" else name, target=entity)

    assert jobs.queued(name, target=entity).phase == Phase.QUEUED


def test_jobs_of_different_targets_do_not_wait(jobs: Jobs, entity: Entity) -> None:
    jobs.queued(target=entity)

    assert jobs.queued(target=Entity.objects.create(name="product")).phase == Phase.QUEUED
    assert jobs.queued().phase == Phase.QUEUED


def test_a_job_waits_for_the_one_it_depends_on(jobs: Jobs) -> None:
    first = jobs.queued()

    assert jobs.queued(depend_on=first).phase == Phase.WAITING
    store.finish(jobs.claimed(first), JobStatus.ERROR)
    assert jobs.queued(depend_on=first).phase == Phase.QUEUED


def test_a_created_job_begins_to_wait_when_it_is_run(jobs: Jobs, publisher: RecordingPublisher) -> None:
    job = jobs.created(depend_on=jobs.queued())

    assert job.phase == Phase.PREPARING
    store.run(job)

    job.refresh_from_db()
    assert (job.phase, job.publish_at) == (Phase.WAITING, None)


def test_a_job_with_a_time_is_not_published_before(
    jobs: Jobs, publisher: RecordingPublisher, committed: Committed
) -> None:
    run_at = timezone.now() + timedelta(hours=1)

    with committed():
        job = jobs.queued(run_at=run_at)

    assert (job.phase, job.publish_at) == (Phase.SCHEDULED, run_at)
    assert publisher.sent == []
    assert store.claim(job.pk, "node/1", 30) is None


def test_many_jobs_are_one_insert_one_event_and_one_publication(
    jobs: Jobs, publisher: RecordingPublisher, committed: Committed, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(2), committed():
        made = Job.objects.submit_many(
            plugin="shop", operation_name="restock", user=None, params=({"n": n} for n in range(1000))
        )

    assert publisher.job_ids == [job.pk for job in made]
    stored = Job.objects.in_bulk([job.pk for job in made])
    assert [json.loads(stored[job.pk].params)["n"] for job in made] == list(range(1000))
    assert all(job.task_id == stored[job.pk].task_id for job in made)
    assert {(job.status, job.phase) for job in stored.values()} == {(JobStatus.PROCESSING, Phase.QUEUED)}


def test_no_jobs_are_nothing(jobs: Jobs, publisher: RecordingPublisher, committed: Committed) -> None:
    with committed():
        assert Job.objects.submit_many(plugin="shop", operation_name="restock", user=None, params=[]) == []

    assert publisher.sent == []


def test_one_of_many_is_like_one_submitted_alone(jobs: Jobs, django_user_model: type[User]) -> None:
    user = django_user_model.objects.create(username="ada")
    alone = Job.objects.submit(plugin="shop", operation_name="stubborn", user=user, params={"n": 1})

    (one,) = Job.objects.submit_many(plugin="shop", operation_name="stubborn", user=user, params=[{"n": 1}])

    own = {"id", "task_id", "created_at", "updated_at", "publish_at", "published_at"}
    first, second = (Job.objects.filter(pk=job.pk).values().get() for job in (alone, one))
    assert {k: v for k, v in first.items() if k not in own} == {
        k: v for k, v in second.items() if k not in own
    }


def test_many_jobs_are_made_or_none(jobs: Jobs) -> None:
    with pytest.raises(InvalidParams):
        Job.objects.submit_many(
            plugin="shop", operation_name="restock", user=None, params=[{"n": 1}, {"n": object()}]
        )

    assert Job.objects.count() == 0


def test_many_jobs_of_a_singleton_are_one(jobs: Jobs) -> None:
    made = store.submit_many(jobs.request("only_one"), [{}, {}, {}])

    assert len({job.pk for job in made}) == 1


def test_a_core_operation_may_run_on_a_plugins_queue(jobs: Jobs) -> None:
    operation = operations.resolve(JobOperation.RUN_DEFERRED_HOOK)

    job = store.submit(store.JobRequest(operation=operation, plugin="shop"))

    assert (job.plugin, job.queue) == ("shop", "plugin.shop")
    assert store.message_of(job).task_name == "core.run_deferred_hook"


@pytest.mark.parametrize("params", [[], [("a", 1)], 5, None, True], ids=repr)
def test_params_that_are_no_object_are_refused(jobs: Jobs, params: Any) -> None:
    with pytest.raises(InvalidParams, match="expected a dict or the JSON text of one"):
        jobs.queued(params=params)

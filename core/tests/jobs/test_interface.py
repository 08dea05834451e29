from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from pagoda.domain.entity.models import Entity
from pagoda.domain.user.models import User
from pagoda.jobs import store
from pagoda.jobs.job_errors import InvalidParams, JobLost, UnknownOperation
from pagoda.jobs.models import Job
from pagoda.jobs.testing import RecordingPublisher, plugin_tasks
from pagoda.jobs.transitions import Phase
from pagoda_plugin_sdk.exceptions import PluginValidationError
from pagoda_plugin_sdk.operations import JobStatus, JobTarget
from pagoda_plugin_sdk.protocols import JobProtocol
from pagoda_plugin_sdk.task_registry import PluginTaskRegistry
from pagoda_plugin_sdk.tasks import plugin_task

if TYPE_CHECKING:
    from core.tests.jobs.conftest import Jobs

STOCK = 5000


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create(username="ada")


def test_the_way_of_the_diagrams_ends_in_done(
    jobs: Jobs, user: User, publisher: RecordingPublisher, committed: Callable[[], Any]
) -> None:
    operation_id = PluginTaskRegistry.get_operation_id("shop", "restock")
    with committed():
        job = Job._create_new_job(user, operation_id, {"n": 1})
        assert job.status == JobStatus.PREPARING
        job.run()
    assert (publisher.job_ids, job.status) == ([job.pk], JobStatus.PROCESSING)

    taken = Job.objects.get(id=job.pk)
    assert not taken.is_canceled()
    assert taken.proceed_if_ready()
    taken.update(JobStatus.PROCESSING)
    assert json.loads(taken.params) == {"n": 1}
    taken.update(JobStatus.DONE)

    assert job.is_finished()
    job.refresh_from_db()
    assert (job.status, job.lease_owner, job.attempt) == (JobStatus.DONE, "", 1)


def test_a_job_satisfies_the_protocol_of_the_sdk(jobs: Jobs) -> None:
    assert isinstance(jobs.created(), JobProtocol)


def test_a_job_is_made_with_keywords_too(jobs: Jobs, user: User) -> None:
    entity, first = Entity.objects.create(name="customer"), jobs.queued()

    job = Job._create_new_job(
        user, target=entity, operation=STOCK, text="by hand", params='{"a": 1}', depend_on=first
    )

    assert (job.operation, job.target, job.text, job.params) == (STOCK, entity, "by hand", '{"a": 1}')
    assert (job.dependent_job, job.target_type) == (first, JobTarget.ENTITY)


@pytest.mark.parametrize(
    "by_name", [0, 1, 2, 3], ids=["all by place", "params named", "text named", "all named"]
)
def test_a_job_is_made_with_its_target_first(by_name: int, jobs: Jobs, user: User) -> None:
    entity = Entity.objects.create(name="customer")
    given: list[Any] = [entity, STOCK, "by hand", {"a": 1}]
    names = ["target", "operation", "text", "params"]
    count = len(given) - by_name - (by_name == 3)

    job = Job._create_new_job(user, *given[:count], **dict(zip(names[count:], given[count:], strict=True)))

    assert (job.operation, job.target, job.text) == (STOCK, entity, "by hand")
    assert json.loads(job.params) == {"a": 1}


def test_a_job_without_a_target_has_none_first(jobs: Jobs, user: User) -> None:
    job = Job._create_new_job(user, None, STOCK, None, {"a": 1})

    assert (job.operation, job.target, job.text, json.loads(job.params)) == (STOCK, None, "", {"a": 1})


@pytest.mark.parametrize(
    ("args", "named"),
    [
        ((STOCK, {}, "text"), {}),
        ((None, STOCK, "", {}, None, 1), {}),
        ((None, STOCK), {"operation": STOCK}),
        ((STOCK,), {"operation_id": STOCK}),
    ],
    ids=["too many", "far too many", "operation twice", "id twice"],
)
def test_arguments_of_a_job_that_can_not_be_told_apart_are_refused(
    args: tuple[Any, ...], named: dict[str, Any], user: User
) -> None:
    with pytest.raises(PluginValidationError, match="_create_new_job takes"):
        Job._create_new_job(user, *args, **named)


def test_a_job_needs_an_operation_that_exists(jobs: Jobs, user: User) -> None:
    with pytest.raises(InvalidParams, match="A job needs an operation"):
        Job._create_new_job(user)
    with pytest.raises(UnknownOperation, match="Operation id 9999 belongs to no task"):
        Job._create_new_job(user, 9999)


def test_a_second_run_changes_nothing(
    jobs: Jobs, publisher: RecordingPublisher, committed: Callable[[], Any]
) -> None:
    job = jobs.created()
    with committed():
        job.run()
        job.run()

    assert publisher.job_ids == [job.pk]


def test_a_job_can_run_here_and_now(db: None, publisher: RecordingPublisher) -> None:
    seen: list[int] = []

    @plugin_task(0)
    def note(job: Any) -> dict[str, int]:
        seen.append(job.id)
        return {"n": 1}

    with plugin_tasks("here", [note], first=6300):
        job = Job._create_new_job(None, 6300)
        assert job.run(will_delay=False) == "done"
        assert job.run(will_delay=False) is None

    assert (seen, job.status, job.result, publisher.sent) == ([job.pk], JobStatus.DONE, {"n": 1}, [])


def test_a_task_outside_of_a_runner_waits_for_what_its_job_depends_on(jobs: Jobs) -> None:
    first, attempt = jobs.running()
    job = jobs.created(depend_on=first)

    assert job.may_schedule()
    assert not job.proceed_if_ready()

    store.finish(attempt, JobStatus.DONE)
    assert not job.may_schedule()
    assert job.proceed_if_ready()


@pytest.mark.parametrize("status", [JobStatus.DONE, JobStatus.ERROR, JobStatus.CANCELED])
def test_an_ended_job_does_not_proceed(jobs: Jobs, status: JobStatus) -> None:
    job, attempt = jobs.running()
    store.finish(attempt, status)

    assert not job.proceed_if_ready()
    assert job.is_canceled() == (status == JobStatus.CANCELED)


def test_a_job_that_a_worker_has_does_not_proceed_elsewhere(jobs: Jobs) -> None:
    job, _ = jobs.running()

    assert not Job.objects.get(pk=job.pk).proceed_if_ready()


def test_a_cancelled_job_says_so_before_it_stops(jobs: Jobs) -> None:
    job, _ = jobs.running()
    asking = Job.objects.get(pk=job.pk)
    store.cancel(asking)

    assert job.is_canceled()
    assert not job.is_finished()


def test_an_update_from_outside_settles_a_job_that_no_worker_has(jobs: Jobs) -> None:
    job = jobs.created()

    job.update(text="soon")
    job.update(JobStatus.WARNING, "skipped")

    job.refresh_from_db()
    assert (job.status, job.text, job.phase) == (JobStatus.WARNING, "skipped", Phase.FINISHED)


@pytest.mark.parametrize(
    "change",
    [{"status": JobStatus.DONE}, {"text": "late"}, {"operation": STOCK + 1}],
    ids=["status", "text", "operation"],
)
def test_an_update_from_outside_of_the_worker_that_has_the_job_is_refused(
    jobs: Jobs, change: dict[str, Any]
) -> None:
    job, _ = jobs.running()
    before = Job.objects.filter(pk=job.pk).values().get()

    with pytest.raises(JobLost, match=f"Job {job.pk} can't be changed from here"):
        Job.objects.get(pk=job.pk).update(**change)

    assert Job.objects.filter(pk=job.pk).values().get() == before


def test_an_update_can_point_the_job_elsewhere(jobs: Jobs) -> None:
    entity, job = Entity.objects.create(name="customer"), jobs.queued()
    assert job.proceed_if_ready()

    job.update(target=entity, operation=STOCK + 1)

    job = Job.objects.get(pk=job.pk)
    assert (job.target, job.target_type, job.operation_name) == (entity, JobTarget.ENTITY, "stubborn")


def test_a_claim_made_by_hand_that_was_lost_stores_nothing(jobs: Jobs) -> None:
    job = jobs.queued()
    assert job.proceed_if_ready()
    store.requeue(Job.objects.get(pk=job.pk))

    with pytest.raises(JobLost):
        job.update(JobStatus.DONE)
    assert not job.proceed_if_ready()


def test_a_timeout_shows_before_it_is_recorded(jobs: Jobs) -> None:
    job, attempt = jobs.running()
    job.refresh_from_db()
    assert not job.is_timeout()

    jobs.past(job, "started_at", 3601)
    job.refresh_from_db()
    assert job.is_timeout()

    store.time_out(attempt)
    job.refresh_from_db()
    assert job.is_timeout()


def test_a_job_as_json_is_json(jobs: Jobs, user: User) -> None:
    entity = Entity.objects.create(name="customer")
    job = Job.objects.get(pk=jobs.queued(user=user, target=entity, text="by hand").pk)

    shown = json.loads(json.dumps(job.to_json()))

    assert shown == {
        "id": job.pk,
        "user": "ada",
        "plugin": "shop",
        "operation": STOCK,
        "operation_name": "restock",
        "status": JobStatus.PROCESSING,
        "phase": "queued",
        "text": "by hand",
        "error": "",
        "progress": {"percent": 0, "text": ""},
        "target_type": JobTarget.ENTITY,
        "target": {"id": entity.pk, "name": "customer"},
        "created_at": job.created_at.isoformat(),
        "updated_at": job.updated_at.isoformat(),
        "can_cancel": True,
    }


def test_lists_leave_hidden_operations_out(jobs: Jobs) -> None:
    shown, hidden = jobs.queued(), jobs.queued("only_one")

    assert list(Job.objects.listed()) == [shown]
    assert list(Job.objects.all()) == [hidden, shown]


def test_a_job_names_itself(jobs: Jobs) -> None:
    job = jobs.queued()

    assert str(job) == f"job {job.pk} (shop.restock, queued)"

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentry_sdk
import structlog
from structlog.testing import capture_logs

from pagoda.domain.user.models import User
from pagoda.fencing import Outcome, add_observer, breaker_states, remove_observer
from pagoda.fencing.policy import Policy
from pagoda.hooks.testing import fresh_breaker
from pagoda.jobs import operations, runtime, store
from pagoda.jobs.models import Job
from pagoda.jobs.testing import RecordingPublisher, plugin_tasks, recording_publisher
from pagoda.jobs.transitions import Phase
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.tasks import plugin_task
from pagoda_worker import runner
from pagoda_worker.runner import HOLD_SECONDS, Runner

Task = Callable[[Any], Any]


class Shop:
    """A plugin with one task, `restock`, that does what a test says."""

    def __init__(self) -> None:
        self.task: Task = lambda job: None
        self.publisher = RecordingPublisher()

    def queue(self, **fields: Any) -> Job:
        return store.submit(store.JobRequest(operation=operations.resolve_name("shop", "restock"), **fields))

    def run(self, job: Job, runner: Runner) -> Job:
        runner.run(job.pk, job.task_id)
        job.refresh_from_db()
        return job


@pytest.fixture
def shop(db: None) -> Iterator[Shop]:
    shop = Shop()

    @plugin_task(0, soft_time_limit_seconds=0.2, hard_time_limit_seconds=60)
    def restock(job: Any) -> Any:
        return shop.task(job)

    with recording_publisher() as shop.publisher, plugin_tasks("shop", [restock]):
        yield shop


@pytest.fixture
def here() -> Runner:
    return Runner(node="shop@host", lease_seconds=30)


@pytest.fixture
def events() -> Iterator[list[dict[str, Any]]]:
    """What error tracking would send."""
    sent: list[dict[str, Any]] = []

    def keep(event: Any, hint: Any) -> None:
        sent.append(event)

    sentry_sdk.init(dsn="https://key@localhost/1", before_send=keep, default_integrations=False)
    yield sent
    sentry_sdk.init()


def test_a_job_is_claimed_by_the_process_and_run(shop: Shop, here: Runner) -> None:
    owners: list[str] = []
    shop.task = lambda job: owners.append(Job.objects.get(pk=job.id).lease_owner)

    job = shop.run(shop.queue(), here)

    assert job.status == JobStatus.DONE
    assert owners == [f"shop@host/{os.getpid()}"]


def test_a_message_that_comes_again_runs_nothing(shop: Shop, here: Runner) -> None:
    runs: list[int] = []
    shop.task = lambda job: runs.append(job.id)
    job = shop.queue()

    for _ in range(20):
        here.run(job.pk, job.task_id)

    assert runs == [job.pk]


def test_a_message_of_a_job_that_is_gone_is_ignored(shop: Shop, here: Runner) -> None:
    with capture_logs() as records:
        here.run(4711, "task")

    assert [(record["event"], record["job_id"]) for record in records] == [("job_not_claimed", 4711)]


def test_a_cancelled_job_never_starts(shop: Shop, here: Runner) -> None:
    runs: list[int] = []
    shop.task = lambda job: runs.append(job.id)
    job = shop.queue()
    Job.objects.filter(pk=job.pk).update(status=JobStatus.CANCELED)

    assert (shop.run(job, here).status, runs) == (JobStatus.CANCELED, [])


def test_the_logs_of_a_task_carry_the_ids_of_its_job(shop: Shop, here: Runner) -> None:
    user = User.objects.create(username="ada")
    seen: list[dict[str, Any]] = []
    shop.task = lambda job: seen.append(structlog.contextvars.get_contextvars())
    with structlog.contextvars.bound_contextvars(request_id="r-7"):
        job = shop.queue(user=user)

    shop.run(job, here)

    assert seen == [
        {
            "job_id": job.pk,
            "plugin": "shop",
            "operation": "restock",
            "attempt": 1,
            "user_id": user.pk,
            "task_id": job.task_id,
            "request_id": "r-7",
        }
    ]
    assert "job_id" not in structlog.contextvars.get_contextvars()


def test_the_end_of_a_job_is_one_record(shop: Shop, here: Runner) -> None:
    with capture_logs() as records:
        shop.run(shop.queue(), here)

    assert [(record["event"], record["ending"]) for record in records] == [("job_ended", "done")]


def test_a_soft_limit_interrupts_the_task(shop: Shop, here: Runner) -> None:
    def hang(job: Any) -> None:
        while True:
            pass

    shop.task = hang

    job = shop.run(shop.queue(), here)

    assert (job.status, job.error) == (JobStatus.TIMEOUT, f"Job {job.pk} ran past its soft limit of 0.2 s.")


def test_a_failure_is_one_event_that_names_plugin_job_and_operation(
    shop: Shop, here: Runner, events: list[dict[str, Any]]
) -> None:
    def fail(job: Any) -> None:
        raise ValueError("no stock")

    shop.task = fail

    job = shop.run(shop.queue(), here)

    assert job.status == JobStatus.ERROR
    assert [event["exception"]["values"][0]["value"] for event in events] == ["no stock"]
    tags = events[0]["tags"]
    assert {name: tags[name] for name in ("plugin", "job", "operation")} == {
        "plugin": "shop",
        "job": str(job.pk),
        "operation": "restock",
    }


def test_a_failure_is_logged_with_its_traceback(shop: Shop, here: Runner) -> None:
    def fail(job: Any) -> None:
        raise ValueError("no stock")

    shop.task = fail

    with capture_logs() as records:
        shop.run(shop.queue(), here)

    assert [(record["event"], record.get("error")) for record in records] == [
        ("job_failed", "ValueError: no stock"),
        ("job_ended", None),
    ]
    assert isinstance(records[0]["exc_info"], ValueError)


def renumbered(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(operation=5001)


def renamed(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(operation_name="reorder")


def of_another_plugin(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(plugin="depot")


def custom(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(operation=150)


def core_renamed(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(operation=90, operation_name="sweep")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            renumbered,
            "operation 'restock' is number 5001 in the job and 'restock', number 5000, in this worker",
        ),
        (renamed, "Plugin 'shop' has no operation 'reorder'. It has: restock."),
        (of_another_plugin, "Plugin 'depot' has no tasks."),
        (custom, "Operation id 150 belongs to no task of an enabled plugin."),
        (
            core_renamed,
            "operation 'sweep' is number 90 in the job and 'purge_jobs', number 90, in this worker",
        ),
    ],
)
def test_a_job_that_means_something_else_here_stays_queued_with_the_reason(
    shop: Shop, here: Runner, events: list[dict[str, Any]], change: Callable[[Job], None], reason: str
) -> None:
    runs: list[int] = []
    shop.task = lambda job: runs.append(job.id)
    job = shop.queue()
    change(job)

    with capture_logs() as records:
        shop.run(job, here)

    assert runs == []
    assert (job.phase, job.hold_reason.startswith(reason)) == (Phase.QUEUED, True)
    assert job.publish_at is not None
    assert (job.publish_at - job.updated_at).total_seconds() == pytest.approx(HOLD_SECONDS, abs=0.1)
    assert [record["event"] for record in records] == ["job_operation_mismatch"]
    assert [event["message"] for event in events] == [f"Job left queued: {job.hold_reason}"]
    attempt = store.claim(job.pk, "newer/1", 30)
    assert attempt is not None
    assert attempt.tries == 1


def test_a_job_whose_task_is_unknown_stays_queued_with_the_reason(shop: Shop) -> None:
    job = shop.queue()

    assert runner.hold_unknown(job.pk, "shop.restock", queue=job.queue)

    job.refresh_from_db()
    assert (job.phase, job.hold_reason) == (
        Phase.QUEUED,
        "a worker of its queue does not know task 'shop.restock'",
    )


def test_a_job_of_another_queue_is_neither_held_nor_run(shop: Shop) -> None:
    job = shop.queue()
    elsewhere = Runner(node="other@host", lease_seconds=30, queue="plugin.other")

    assert not runner.hold_unknown(job.pk, "shop.restock", queue="plugin.other")
    assert shop.run(job, elsewhere).phase == Phase.QUEUED
    assert (job.hold_reason, job.attempt) == ("", 0)
    assert shop.run(job, Runner(node="shop@host", lease_seconds=30, queue="plugin.shop")).attempt == 1


def test_installing_takes_the_messages_of_this_process(shop: Shop) -> None:
    installed = runner.install(node="shop@host", lease_seconds=30)
    try:
        assert runtime.runner() is installed
        assert not any(logging.getLogger(n).isEnabledFor(logging.INFO) for n in runner.CELERY_TASK_LOGGERS)
    finally:
        runtime.set_runner(None)


class TestBreaker:
    def test_after_failures_in_a_row_a_job_stays_queued_with_the_reason(
        self, shop: Shop, here: Runner
    ) -> None:
        shop.task = fail
        for _ in range(5):
            shop.run(shop.queue(), here)
        shop.task = lambda job: None
        held = shop.run(shop.queue(), here)

        assert held.phase == Phase.QUEUED
        assert held.hold_reason == ("the tasks of plugin 'shop' are out of service, as they failed too often")

    def test_the_probes_success_lets_the_others_run(self, shop: Shop, here: Runner) -> None:
        with fresh_breaker(Policy(consecutive_failures=1, cooldown_seconds=0.001)):
            shop.task = fail
            shop.run(shop.queue(), here)
            shop.task = lambda job: None
            assert shop.run(shop.queue(), here).status == JobStatus.DONE
            [state] = breaker_states()
        assert (state.plugin, state.surface, state.state) == ("shop", "task", "closed")

    def test_each_attempt_is_one_outcome(self, shop: Shop, here: Runner) -> None:
        seen: list[Outcome] = []
        add_observer(seen.append)
        shop.run(shop.queue(), here)
        shop.task = fail
        shop.run(shop.queue(), here)
        shop.task = lambda job: time.sleep(60)
        shop.run(shop.queue(), here)
        remove_observer(seen.append)

        assert [(outcome.plugin, outcome.surface, outcome.name, outcome.result) for outcome in seen] == [
            ("shop", "task", "restock", "ok"),
            ("shop", "task", "restock", "raised"),
            ("shop", "task", "restock", "timeout"),
        ]


def fail(_job: Any) -> None:
    raise RuntimeError("oops")

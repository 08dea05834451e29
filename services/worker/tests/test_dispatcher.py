from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection
from structlog.testing import capture_logs

from pagoda.jobs import operations, store
from pagoda.jobs.clock import after
from pagoda.jobs.models import Job, JobLog
from pagoda.jobs.testing import RecordingPublisher, plugin_tasks, recording_publisher
from pagoda.jobs.transitions import Phase
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.tasks import plugin_task
from pagoda_worker import dispatcher as module
from pagoda_worker.dispatcher import Dispatcher, Round
from pagoda_worker.schedules import Schedules

QUEUE = "plugin.shop"


@plugin_task(0)
def restock(job: Any) -> None: ...


@pytest.fixture
def publisher() -> Iterator[RecordingPublisher]:
    with recording_publisher() as publisher:
        yield publisher


@pytest.fixture
def shop(db: None, publisher: RecordingPublisher) -> Iterator[None]:
    with plugin_tasks("shop", [restock]):
        yield


@pytest.fixture
def dispatcher(shop: None, publisher: RecordingPublisher) -> Dispatcher:
    return Dispatcher(interval_seconds=0.01, schedules=Schedules(()), publisher=publisher)


def queue(**fields: Any) -> Job:
    return store.submit(store.JobRequest(operation=operations.resolve_name("shop", "restock"), **fields))


def running() -> tuple[Job, store.Attempt]:
    job = queue()
    attempt = store.claim(job.pk, "node/1", 30)
    assert attempt is not None
    return job, attempt


def make_due(*jobs: Job, **fields: Any) -> None:
    past = {"publish_at": after(-1), "created_at": after(-60)}
    Job.objects.filter(pk__in=[job.pk for job in jobs]).update(**(past | fields))


def test_nothing_to_do_is_an_idle_round(dispatcher: Dispatcher, publisher: RecordingPublisher) -> None:
    queue()

    assert dispatcher.run_once().is_idle
    assert publisher.sent == []


def test_what_was_committed_and_not_published_is_published_once(
    dispatcher: Dispatcher, publisher: RecordingPublisher
) -> None:
    jobs = [queue() for _ in range(3)]
    make_due(*jobs, published_at=None)

    assert dispatcher.run_once() == Round(published=3)
    assert dispatcher.run_once().is_idle
    assert sorted(publisher.job_ids) == [job.pk for job in jobs]


def test_two_dispatchers_publish_nothing_twice(dispatcher: Dispatcher, publisher: RecordingPublisher) -> None:
    other = Dispatcher(interval_seconds=0.01, schedules=Schedules(()), publisher=publisher)
    make_due(queue(), queue(), published_at=None)

    assert [dispatcher.run_once().published, other.run_once().published] == [2, 0]


def test_more_jobs_than_a_batch_are_published_in_one_round(
    dispatcher: Dispatcher, publisher: RecordingPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    make_due(*[queue() for _ in range(5)], published_at=None)

    assert dispatcher.run_once().published == 5


def test_what_the_broker_does_not_take_is_due_again(
    dispatcher: Dispatcher, publisher: RecordingPublisher
) -> None:
    jobs = [queue() for _ in range(3)]
    make_due(*jobs, published_at=None)
    publisher.capacity = 1

    assert dispatcher.run_once() == Round(published=1, unpublished=2)
    assert Job.objects.filter(published_at=None).count() == 2

    publisher.capacity = None
    make_due(*Job.objects.filter(published_at=None))
    assert dispatcher.run_once() == Round(published=2)
    assert sorted(publisher.job_ids) == [job.pk for job in jobs]


def test_a_message_that_the_broker_lost_is_sent_again(
    dispatcher: Dispatcher, publisher: RecordingPublisher
) -> None:
    job = queue()
    make_due(job)
    publisher.depths[QUEUE] = 0

    assert dispatcher.run_once() == Round(published=1)
    assert publisher.job_ids == [job.pk]


def test_messages_of_a_queue_that_is_merely_long_are_not_sent_again(
    dispatcher: Dispatcher, publisher: RecordingPublisher
) -> None:
    jobs = [queue() for _ in range(10)]
    make_due(*jobs)
    publisher.depths[QUEUE] = 9

    assert dispatcher.run_once().is_idle
    assert publisher.sent == []

    make_due(*jobs)
    publisher.depths[QUEUE] = 8
    assert dispatcher.run_once().published == 10


def test_a_lost_message_has_the_others_of_its_queue_looked_after(
    dispatcher: Dispatcher, publisher: RecordingPublisher
) -> None:
    jobs = [queue() for _ in range(3)]
    make_due(*jobs)
    publisher.depths[QUEUE] = 3
    assert dispatcher.run_once().is_idle
    publisher.depths[QUEUE] = 0
    Job.objects.update(published_at=after(-11))
    make_due(jobs[0])

    assert [dispatcher.run_once().published for _ in range(3)] == [1, 2, 0]
    assert publisher.job_ids == [job.pk for job in jobs]


def test_a_broker_that_never_tells_its_depth_is_not_flooded(
    dispatcher: Dispatcher, publisher: RecordingPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    make_due(*[queue() for _ in range(4)])

    assert [dispatcher.run_once().published for _ in range(3)] == [4, 0, 0]


def test_a_broker_that_does_not_tell_its_depth_gets_messages_again(
    dispatcher: Dispatcher, publisher: RecordingPublisher
) -> None:
    make_due(queue())

    assert dispatcher.run_once().published == 1


def test_after_many_looks_a_message_is_sent_whatever_the_broker_says(
    dispatcher: Dispatcher, publisher: RecordingPublisher
) -> None:
    make_due(queue(), publish_count=module.TRUSTS_DEPTH - 1)
    publisher.depths[QUEUE] = 1_000

    assert dispatcher.run_once().published == 1


def test_a_job_of_a_silent_worker_is_queued_anew_and_its_log_says_so(
    dispatcher: Dispatcher, publisher: RecordingPublisher
) -> None:
    job, _ = running()
    Job.objects.filter(pk=job.pk).update(lease_expires_at=after(-1))

    with capture_logs() as records:
        done = dispatcher.run_once()

    assert (done.expired, done.published) == (1, 1)
    assert publisher.job_ids == [job.pk]
    line = JobLog.objects.get(job=job)
    assert (line.level, line.message) == ("warning", "worker lost: no heartbeat from node/1")
    assert line.extra == {"outcome": "retried"}
    assert ("job_lease_expired", "retried") in [
        (record["event"], record.get("outcome")) for record in records
    ]


def test_a_job_past_its_hard_limit_is_ended(dispatcher: Dispatcher) -> None:
    job, _ = running()
    Job.objects.filter(pk=job.pk).update(started_at=after(-3700))

    with capture_logs() as records:
        assert dispatcher.run_once() == Round(timed_out=1)

    job.refresh_from_db()
    assert job.status == JobStatus.TIMEOUT
    assert [record["event"] for record in records] == ["job_timed_out"]


def test_a_job_goes_out_when_what_it_waits_for_has_ended(
    dispatcher: Dispatcher, publisher: RecordingPublisher
) -> None:
    first, attempt = running()
    second = queue(depend_on=first)
    make_due(second, publish_at=None)
    assert dispatcher.run_once().is_idle

    store.finish(attempt, JobStatus.ERROR)

    assert dispatcher.run_once() == Round(released=1, published=1)
    assert publisher.job_ids == [second.pk]


def test_a_retry_goes_out_when_its_time_has_come(
    dispatcher: Dispatcher, publisher: RecordingPublisher
) -> None:
    job, attempt = running()
    Job.objects.filter(pk=job.pk).update(created_at=after(-60))
    store.release(attempt, reason="stopped", delay_seconds=60)
    assert dispatcher.run_once().is_idle

    Job.objects.filter(pk=job.pk).update(publish_at=after(-1))

    assert dispatcher.run_once().published == 1


def test_schedules_are_part_of_a_round(shop: None, publisher: RecordingPublisher) -> None:
    @plugin_task(0, schedule="* * * * *")
    def each_minute(job: Any) -> None: ...

    with plugin_tasks("clock", [each_minute], first=6400):
        schedules = Schedules.of([operations.resolve_name("clock", "each_minute")])
        clockwork = Dispatcher(interval_seconds=0.01, schedules=schedules, publisher=publisher)
        clockwork.run_once()
        schedules._looked_at = None
        schedules._not_before = {
            name: seen.replace(year=seen.year - 1) for name, seen in schedules._not_before.items()
        }

        assert clockwork.run_once().scheduled == 1
        assert Job.objects.get(operation_name="each_minute").phase == Phase.QUEUED


def test_it_goes_on_until_it_is_stopped(dispatcher: Dispatcher) -> None:
    stop = threading.Event()
    rounds: list[int] = []

    def after_round() -> None:
        rounds.append(1)
        if len(rounds) == 3:
            stop.set()

    dispatcher.run_forever(stop, after_round=after_round)

    assert len(rounds) == 3


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (OperationalError("connection refused"), "dispatcher_database_unavailable"),
        (ValueError("a bug"), "dispatcher_round_failed"),
    ],
)
def test_a_fault_is_told_and_the_next_round_tries_again(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch, error: Exception, event: str
) -> None:
    stop, faults = threading.Event(), [error]
    release = store.release_dependents

    def flaky() -> int:
        if faults:
            raise faults.pop()
        return release()

    monkeypatch.setattr(store, "release_dependents", flaky)
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's own connection holds its data

    with capture_logs() as records:
        dispatcher.run_forever(stop, after_round=stop.set)

    assert [record["event"] for record in records] == [event]


def test_rounds_that_did_something_are_logged(dispatcher: Dispatcher) -> None:
    make_due(queue(), published_at=None)
    stop = threading.Event()

    with capture_logs() as records:
        dispatcher.run_forever(stop, after_round=stop.set)

    assert records == [{"event": "dispatcher_round", "log_level": "info", "published": 1}]

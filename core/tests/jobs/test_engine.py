from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from celery import shared_task
from django.db import OperationalError, connection, transaction

from pagoda import running
from pagoda.domain.acting import acting_user
from pagoda.domain.entity.models import Entity
from pagoda.domain.user.models import User
from pagoda.jobs import operations, store
from pagoda.jobs.engine import run_attempt
from pagoda.jobs.job_errors import JobLost
from pagoda.jobs.models import Job, JobLog
from pagoda.jobs.testing import RecordingPublisher, plugin_tasks
from pagoda.jobs.transitions import Phase
from pagoda_plugin_sdk.exceptions import JobCanceled, JobTimeLimitExceeded
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.tasks import plugin_task

Task = Callable[[Any], Any]


@running.as_host()  # another process's doing
def cancel(job_id: int) -> None:
    store.cancel(Job.objects.get(pk=job_id))


class Bench:
    """Runs one task as a worker would."""

    def __init__(self) -> None:
        self.reported: list[BaseException] = []

    def queue(self, task: Task, *, user: User | None = None, **options: Any) -> Job:
        spec = operations.resolve_name("bench", "work")
        return store.submit(store.JobRequest(operation=spec, user=user, **options))

    def run(self, task: Task, *, form: str = "context", guard: Any = None, **options: Any) -> Job:
        def work(argument: Any) -> Any:
            return task(argument)

        task_options = options.pop("task_options", {})
        marked = plugin_task(0, **task_options)(work) if form == "context" else work
        with plugin_tasks(
            "bench", [marked], cancelable_operations=["work"], downloadable_operations=["work"]
        ):
            job = self.queue(marked, **options)
            attempt = store.claim(job.pk, "node/1", 30)
            assert attempt is not None
            guards = {} if guard is None else {"guard": guard}
            self.ending = run_attempt(
                attempt, operations.resolve(job.operation), report=self.reported.append, **guards
            )
        job.refresh_from_db()
        return job


@pytest.fixture
def bench(db: None, publisher: RecordingPublisher) -> Bench:
    return Bench()


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create(username="ada")


def test_a_task_that_returns_is_done(bench: Bench) -> None:
    job = bench.run(lambda job: {"restocked": job.id})

    assert (job.status, job.result, bench.ending) == (JobStatus.DONE, {"restocked": job.pk}, "done")
    assert bench.reported == []


def test_a_task_acts_as_the_user_who_asked(bench: Bench, user: User) -> None:
    seen: list[Any] = []

    bench.run(lambda job: seen.append((acting_user() == user, job.user == user)), user=user)
    bench.run(lambda job: seen.append((acting_user(), job.user)))

    assert seen == [(True, True), (None, None)]
    assert acting_user() is None


def test_a_returned_status_and_target_are_applied(bench: Bench) -> None:
    entity = Entity.objects.create(name="customer")

    job = bench.run(lambda job: (JobStatus.WARNING, "half of it", entity))

    assert (job.status, job.text, job.target) == (JobStatus.WARNING, "half of it", entity)


def test_an_exception_ends_in_error_with_its_traceback_in_the_log(bench: Bench) -> None:
    def fail(job: Any) -> None:
        raise ValueError("no stock")

    job = bench.run(fail)

    assert (job.status, job.error, bench.ending) == (JobStatus.ERROR, "ValueError: no stock", "ended")
    line = JobLog.objects.get(job=job)
    assert (line.level, line.message) == ("error", "ValueError: no stock")
    assert "in fail\n" in line.extra["traceback"]
    assert [str(error) for error in bench.reported] == ["no stock"]


def test_an_exception_is_tried_again_when_the_task_asks_for_it(bench: Bench) -> None:
    def fail(job: Any) -> None:
        raise ValueError("no stock")

    job = bench.run(fail, task_options={"max_attempts": 2, "retry_backoff_seconds": 60})

    assert (job.phase, job.error, bench.ending) == (Phase.SCHEDULED, "ValueError: no stock", "retried")
    assert len(bench.reported) == 1


def test_an_exception_inside_of_a_transaction_is_recorded_and_what_it_wrote_is_not(bench: Bench) -> None:
    def fail(job: Any) -> None:
        with transaction.atomic():
            Entity.objects.create(name="customer")
            raise ValueError("no stock")

    job = bench.run(fail)

    assert job.status == JobStatus.ERROR
    assert not Entity.objects.exists()


def test_a_task_that_exits_ends_in_error(bench: Bench) -> None:
    def leave(job: Any) -> None:
        raise SystemExit(3)

    assert bench.run(leave).error == "SystemExit: 3"


@pytest.mark.parametrize("kind", [asyncio.CancelledError, GeneratorExit, SystemExit, KeyboardInterrupt])
def test_a_task_that_raises_what_ends_processes_ends_its_job_alone(
    bench: Bench, kind: type[BaseException]
) -> None:
    def leave(job: Any) -> None:
        raise kind("enough")

    job = bench.run(leave)

    assert (job.status, job.error, bench.ending) == (JobStatus.ERROR, f"{kind.__name__}: enough", "ended")


class Mute(BaseException):
    """Can't say what it is."""

    def __str__(self) -> str:
        raise SystemExit(4)


@pytest.mark.parametrize(
    ("error", "stored"),
    [
        (ValueError("a\x00b"), "ValueError: a\\x00b"),
        (ValueError("\ud800"), "ValueError: \\ud800"),
        (Mute(), "Mute: <Mute that can't be shown: SystemExit>"),
        (KeyError("\x00"), "KeyError: '\\x00'"),
    ],
    ids=["NUL", "surrogate", "mute", "repr"],
)
def test_an_error_that_no_column_holds_is_stored_escaped(
    bench: Bench, error: BaseException, stored: str
) -> None:
    """The job ends at once, by its own cause; the log has the traceback."""

    def fail(job: Any) -> None:
        raise error

    job = bench.run(fail)

    assert (job.status, job.error) == (JobStatus.ERROR, stored)
    assert stored in JobLog.objects.get(job=job).message


@pytest.mark.parametrize(("length", "ending"), [(1988, "x"), (1989, "... (2,001 characters)")])
def test_a_long_error_is_shortened_and_says_so(bench: Bench, length: int, ending: str) -> None:
    def fail(job: Any) -> None:
        raise ValueError("x" * length)

    job = bench.run(fail)

    assert len(job.error) == 2000
    assert job.error.endswith(ending)


def test_log_lines_and_progress_are_washed_and_the_job_goes_on(bench: Bench) -> None:
    def work(job: Any) -> None:
        job.log.info("a\x00b", x=float("nan"), y=Mute(), z="\ud800")
        job.progress(50, "half\x00")
        job.log.info("later")

    job = bench.run(work)

    assert (job.status, job.progress_text) == (JobStatus.DONE, "half\\x00")
    lines = [(line.message, line.extra) for line in JobLog.objects.filter(job=job)]
    assert lines == [
        ("a\\x00b", {"x": "nan", "y": "<Mute that can't be shown: SystemExit>", "z": "\\ud800"}),
        ("later", {}),
    ]


def test_a_text_is_washed_and_bounded(bench: Bench) -> None:
    job = bench.run(lambda job: (JobStatus.WARNING, "\x00" + "x" * 20_000_000), text="\ud800" * 20_000)

    assert job.text.startswith("\\x00xx")
    assert job.text.endswith("... (20,000,001 characters)")
    assert len(job.text) == 10_000


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda: None, 0),
        (lambda: sys.exit(0), 0),
        (lambda: sys.exit(7), 7),
        (lambda: sys.exit("no"), 1),
        (lambda: 1 / 0, 1),
    ],
    ids=["return", "exit", "exit 7", "exit with text", "raise"],
)
def test_a_forked_child_ends_where_the_task_ends(bench: Bench, end: Callable[[], object], code: int) -> None:
    """It neither ends the job nor its parent's transaction, nor goes on in the code of the host."""

    def work(job: Any) -> dict[str, int]:
        with transaction.atomic():
            Entity.objects.create(name="customer")
            child = os.fork()
            if not child:
                end()
                return {"code": -1}
            return {"code": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}

    job = bench.run(work, user=User.objects.create(username="root", is_superuser=True))

    assert (job.status, job.result, job.error) == (JobStatus.DONE, {"code": code}, "")
    assert Entity.objects.count() == 1


def test_a_forked_child_can_not_end_the_job(bench: Bench) -> None:
    def work(job: Any) -> dict[str, int]:
        child = os.fork()
        if not child:
            with contextlib.suppress(JobLost):
                job.finish(JobStatus.WARNING)
                os._exit(5)
            os._exit(6)
        return {"code": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}

    assert bench.run(work).result == {"code": 6}


def test_a_result_that_cannot_be_stored_is_an_error_that_says_so(bench: Bench) -> None:
    job = bench.run(lambda job: {"n": object()})

    assert job.status == JobStatus.ERROR
    assert job.error.startswith("InvalidParams: Result of the task can't be stored")


def test_a_task_that_was_told_to_stop_is_canceled(bench: Bench) -> None:
    def stop(job: Any) -> None:
        cancel(job.id)
        job.checkpoint()

    job = bench.run(stop)

    assert (job.status, bench.ending, bench.reported) == (JobStatus.CANCELED, "canceled", [])


def test_a_task_may_stop_by_itself(bench: Bench) -> None:
    def stop(job: Any) -> None:
        raise JobCanceled

    assert bench.run(stop).status == JobStatus.CANCELED


def test_a_task_that_finished_its_work_before_it_looked_is_done(bench: Bench) -> None:
    job = bench.run(lambda job: cancel(job.id))

    assert job.status == JobStatus.DONE


def test_a_soft_limit_ends_in_timeout(bench: Bench) -> None:
    def slow(job: Any) -> None:
        raise JobTimeLimitExceeded("ran past its soft limit of 1 s")

    job = bench.run(slow)

    assert (job.status, job.error) == (JobStatus.TIMEOUT, "ran past its soft limit of 1 s")
    assert bench.reported == []


def test_the_guard_is_around_the_task_alone(bench: Bench) -> None:
    events: list[str] = []

    @contextmanager
    def guard(attempt: store.Attempt) -> Iterator[None]:
        events.append("on")
        yield
        events.append(f"off {Job.objects.get(pk=attempt.job_id).phase}")

    bench.run(lambda job: events.append("task"), guard=guard)

    assert events == ["on", "task", "off running"]


@running.as_host()  # another process's doing
def take_over(job_id: int) -> None:
    store.requeue(Job.objects.get(pk=job_id))
    assert store.claim(job_id, "other/1", 30) is not None


def test_a_worker_that_lost_its_job_stores_nothing(bench: Bench) -> None:
    job = bench.run(lambda job: take_over(job.id))

    assert (job.phase, job.lease_owner, bench.ending) == (Phase.RUNNING, "other/1", "lost")


def test_a_task_learns_that_its_job_is_lost(bench: Bench) -> None:
    went_on: list[bool] = []

    def work(job: Any) -> None:
        take_over(job.id)
        job.progress(50)
        went_on.append(True)

    job = bench.run(work)

    assert (job.phase, bench.ending, went_on, bench.reported) == (Phase.RUNNING, "lost", [], [])


def test_what_is_recorded_survives_a_broken_connection(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    finish, answers = store.finish, [OperationalError("server closed the connection")]

    def flaky(*args: Any, **kwargs: Any) -> bool:
        if answers:
            raise answers.pop()
        return finish(*args, **kwargs)

    monkeypatch.setattr(store, "finish", flaky)
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's own connection holds its data

    assert bench.run(lambda job: None).status == JobStatus.DONE


# The raw form: a Celery task that drives its job itself


def raw(job_id: int) -> None:
    """The task of the diagrams."""
    job = Job.objects.get(id=job_id)
    if job.is_canceled() or not job.proceed_if_ready():
        return
    job.update(JobStatus.PROCESSING)
    job.update(text="half way")
    job.update(JobStatus.DONE)


def test_the_raw_form_drives_its_job(bench: Bench) -> None:
    job = bench.run(raw, form="raw")

    assert (job.status, job.text, bench.ending) == (JobStatus.DONE, "half way", "ended")


def test_a_celery_task_is_called_in_process_with_itself(db: None, publisher: RecordingPublisher) -> None:
    seen: list[Any] = []

    @shared_task(bind=True, name="bench.work")
    def work(self: Any, job_id: int) -> None:
        seen.append((self.name, job_id))
        raw(job_id)

    with plugin_tasks("bound", [work], first=6100):
        job = Job.objects.submit(plugin="bound", operation_name="work", user=None)
        attempt = store.claim(job.pk, "node/1", 30)
        assert attempt is not None
        run_attempt(attempt, operations.resolve(job.operation), report=lambda error: None)

    job.refresh_from_db()
    assert seen == [("bench.work", job.pk)]
    assert job.status == JobStatus.DONE


def test_a_raw_task_that_returns_without_ending_its_job_is_done(bench: Bench) -> None:
    job = bench.run(lambda job_id: "ignored", form="raw")

    assert (job.status, job.result) == (JobStatus.DONE, None)


def test_a_raw_task_that_lets_an_exception_escape_ends_in_error(bench: Bench) -> None:
    def fail(job_id: int) -> None:
        Job.objects.get(pk=job_id).update(JobStatus.PROCESSING)
        raise ValueError("no stock")

    job = bench.run(fail, form="raw")

    assert (job.status, job.error) == (JobStatus.ERROR, "ValueError: no stock")


def test_a_raw_task_that_sees_it_was_cancelled_and_returns_is_canceled(bench: Bench) -> None:
    def work(job_id: int) -> None:
        job = Job.objects.get(pk=job_id)
        cancel(job_id)
        assert job.is_canceled()
        assert not job.proceed_if_ready()

    assert bench.run(work, form="raw").status == JobStatus.CANCELED


def test_a_raw_task_that_raises_after_it_ended_its_job_leaves_it_ended(bench: Bench) -> None:
    def work(job_id: int) -> None:
        Job.objects.get(pk=job_id).update(JobStatus.DONE)
        raise ValueError("too late")

    job = bench.run(work, form="raw")

    assert (job.status, bench.ending, len(bench.reported)) == (JobStatus.DONE, "ended", 1)


def test_an_end_that_is_rolled_back_is_no_end(bench: Bench) -> None:
    def work(job_id: int) -> None:
        with transaction.atomic():
            Job.objects.get(pk=job_id).update(JobStatus.DONE)
            raise ValueError("rolled back")

    job = bench.run(work, form="raw")

    assert (job.status, job.error) == (JobStatus.ERROR, "ValueError: rolled back")

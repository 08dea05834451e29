from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pagoda.jobs.store import Attempt, Failure
from pagoda.jobs.store import Heartbeat as Findings
from pagoda_worker.children import RunningJob
from pagoda_worker.heartbeat import Heart, HeartThread, running_job

NODE = "inventory@host.1"


def attempt(job_id: int, pid: int, number: int = 1) -> Attempt:
    return Attempt(
        job_id=job_id,
        number=number,
        owner=f"{NODE}/{pid}",
        plugin="inventory",
        operation=300,
        operation_name="scan",
        user_id=None,
        request_id="",
        soft_limit_seconds=10,
        hard_limit_seconds=20,
        tries=1,
        max_attempts=3,
        retry_backoff_seconds=None,
        lost_count=0,
    )


@dataclass
class FakeLeases:
    held: list[Attempt] = field(default_factory=list)
    overdue: list[Attempt] = field(default_factory=list)  # past their hard limit
    unstoppable: list[Attempt] = field(default_factory=list)  # cancelled, past the grace
    renewed: list[int] = field(default_factory=list)
    lost: list[tuple[int, str]] = field(default_factory=list)
    killed: list[int] = field(default_factory=list)
    released: list[tuple[int, str]] = field(default_factory=list)
    queries: int = 0

    def attempts_of(self, node: str) -> tuple[Attempt, ...]:
        assert node == NODE
        self.queries += 1
        return tuple(self.held)

    def heartbeat(
        self, attempts: Iterable[Attempt], lease_seconds: float, *, cancel_grace_seconds: float
    ) -> Findings:
        renewed = tuple(attempts)
        self.renewed += [each.job_id for each in renewed]
        return Findings(
            lost=(),
            cancel_overdue=tuple(each for each in renewed if each in self.unstoppable),
            past_hard_limit=tuple(each for each in renewed if each in self.overdue),
        )

    def lose(self, attempt: Attempt, *, cause: str) -> Failure:
        self.lost.append((attempt.job_id, cause))
        self.held.remove(attempt)
        return Failure.RETRIED

    def end_killed(self, attempt: Attempt) -> bool:
        self.killed.append(attempt.job_id)
        return True

    def release(self, attempt: Attempt, *, reason: str) -> bool:
        self.released.append((attempt.job_id, reason))
        return True


@dataclass
class FakeChildren:
    jobs: set[RunningJob] = field(default_factory=set)
    dead: set[int] = field(default_factory=set)
    news: dict[int, str] = field(default_factory=dict)
    killed: list[RunningJob] = field(default_factory=list)

    def running(self) -> frozenset[RunningJob]:
        return frozenset(self.jobs)

    def deaths(self) -> dict[int, str]:
        told, self.news = self.news, {}
        return told

    def is_alive(self, pid: int) -> bool:
        return pid not in self.dead

    def kill(self, job: RunningJob) -> bool:
        if job not in self.jobs:
            return False
        self.killed.append(job)
        self.jobs.discard(job)
        return True


@dataclass
class FakeClock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Worker:
    """A heart with all that it works on."""

    leases: FakeLeases = field(default_factory=FakeLeases)
    children: FakeChildren = field(default_factory=FakeChildren)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.heart = Heart(
            node=NODE,
            leases=self.leases,
            children=self.children,
            lease_seconds=30,
            cancel_grace_seconds=10,
            clock=self.clock,
        )

    def run(self, *attempts: Attempt) -> None:
        self.leases.held += attempts
        self.children.jobs |= {running_job(each) for each in attempts}

    def tick(self, *, after: float = 0.0) -> None:
        self.clock.now += after
        self.heart.tick()


@pytest.fixture
def worker() -> Worker:
    return Worker()


def test_idle_worker_asks_the_database_nothing(worker: Worker) -> None:
    for _ in range(100):
        worker.tick(after=1)
    assert worker.leases.queries == 0


def test_claims_of_living_children_are_renewed_once_a_beat(worker: Worker) -> None:
    worker.run(attempt(1, 11), attempt(2, 12))
    for _ in range(17):
        worker.tick(after=0.25)  # a beat at the first look, then every 2 s
    assert worker.leases.renewed == [1, 2] * 3


def test_short_lease_has_several_beats(worker: Worker) -> None:
    worker.heart.lease_seconds = 1
    worker.run(attempt(1, 11))
    for _ in range(4):
        worker.tick(after=0.25)
    assert worker.leases.renewed == [1] * 4


def test_worker_falls_silent_when_its_last_job_ended(worker: Worker) -> None:
    worker.run(attempt(1, 11))
    worker.tick()
    worker.leases.held.clear()
    worker.children.jobs.clear()
    worker.tick(after=2)
    queries = worker.leases.queries
    for _ in range(10):
        worker.tick(after=2)
    assert worker.leases.queries == queries


def test_death_of_a_child_is_reported_at_once_with_its_cause(worker: Worker) -> None:
    worker.run(attempt(1, 11), attempt(2, 12))
    worker.tick()
    worker.children.dead.add(11)
    worker.children.jobs.discard(RunningJob(job_id=1, pid=11))
    worker.children.news[11] = "Worker exited prematurely: signal 9 (SIGKILL)"
    worker.tick(after=0.25)
    assert worker.leases.lost == [(1, "Worker exited prematurely: signal 9 (SIGKILL)")]
    assert worker.leases.renewed[-1] == 2


def test_child_that_died_before_it_was_seen_at_work_is_reported(worker: Worker) -> None:
    worker.leases.held.append(attempt(1, 11))
    worker.children.dead.add(11)
    worker.children.news[11] = "exitcode 3"
    worker.tick()
    assert worker.leases.lost == [(1, "exitcode 3")]


def test_dead_child_waits_for_its_cause_while_celery_lists_its_job(worker: Worker) -> None:
    worker.run(attempt(1, 11))
    worker.children.dead.add(11)
    worker.tick()
    assert (worker.leases.lost, worker.leases.renewed) == ([], [])
    worker.children.jobs.clear()
    worker.tick(after=2)
    assert worker.leases.lost == [(1, "its process is gone")]


@pytest.mark.parametrize("finding", ["overdue", "unstoppable"])
def test_job_past_its_limit_is_killed_and_ended(worker: Worker, finding: str) -> None:
    late, other = attempt(1, 11), attempt(2, 12)
    worker.run(late, other)
    getattr(worker.leases, finding).append(late)
    worker.tick()
    assert worker.children.killed == [RunningJob(job_id=1, pid=11)]
    assert worker.leases.killed == [1]


def test_job_that_ended_meanwhile_is_neither_killed_nor_ended(worker: Worker) -> None:
    late = attempt(1, 11)
    worker.run(late)
    worker.leases.overdue.append(late)
    worker.children.jobs.clear()
    worker.tick()
    worker.heart.beat()
    assert (worker.children.killed, worker.leases.killed) == ([], [])


def test_claim_that_a_child_left_behind_is_renewed_once_and_then_left_to_expire(worker: Worker) -> None:
    worker.run(attempt(1, 11))
    worker.children.jobs = {RunningJob(job_id=2, pid=11)}
    for _ in range(3):
        worker.tick(after=2)
    assert worker.leases.renewed == [1]


def test_claim_that_the_parent_has_not_heard_of_yet_is_renewed(worker: Worker) -> None:
    worker.run(attempt(1, 11))
    worker.children.jobs.clear()
    worker.heart.beat()
    worker.run()
    worker.children.jobs = {RunningJob(job_id=1, pid=11)}
    worker.heart.beat()
    assert worker.leases.renewed == [1, 1]


def test_child_whose_claim_is_gone_gets_the_grace_and_is_then_killed(worker: Worker) -> None:
    worker.run(attempt(1, 11))
    worker.tick()
    worker.leases.held.clear()
    worker.tick(after=2)
    worker.tick(after=9)
    assert worker.children.killed == []
    worker.tick(after=2)
    assert worker.children.killed == [RunningJob(job_id=1, pid=11)]
    assert worker.leases.killed == []


def test_child_that_stops_by_itself_after_losing_its_claim_is_not_killed(worker: Worker) -> None:
    worker.run(attempt(1, 11))
    worker.tick()
    worker.leases.held.clear()
    worker.tick(after=2)
    worker.children.jobs = {RunningJob(job_id=2, pid=11)}
    worker.leases.held.append(attempt(2, 11))
    for _ in range(10):
        worker.tick(after=2)
    assert worker.children.killed == []


def test_same_child_that_claims_the_job_again_is_not_taken_for_the_lost_one(worker: Worker) -> None:
    worker.run(attempt(1, 11))
    worker.tick()
    worker.leases.held[:] = [attempt(1, 11, number=2)]
    for _ in range(10):
        worker.tick(after=2)
    assert worker.children.killed == []


def test_draining_worker_renews_until_its_time_is_over_then_gives_back(worker: Worker) -> None:
    worker.run(attempt(1, 11))
    worker.heart.drain(20)
    worker.heart.drain(1000)  # a second signal does not prolong it
    worker.tick(after=19)
    assert worker.leases.renewed == [1]
    worker.tick(after=2)
    assert worker.children.killed == [RunningJob(job_id=1, pid=11)]
    assert worker.leases.released == [(1, "its worker was stopped")]
    assert worker.leases.renewed == [1]


def test_database_that_is_away_does_not_end_the_heartbeat(worker: Worker, tmp_path: Path) -> None:
    failures = 0

    def fail(node: str) -> tuple[Attempt, ...]:
        nonlocal failures
        failures += 1
        raise ConnectionError("no database")

    worker.leases.attempts_of = fail  # type: ignore[method-assign]
    worker.run(attempt(1, 11))
    thread = HeartThread(worker.heart, tmp_path / "alive")
    for _ in range(3):
        worker.clock.now += 2
        thread.tick()
    assert failures == 3

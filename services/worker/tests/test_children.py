from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker import state

from pagoda_worker.children import CeleryChildren, RunningJob

FAMILY = "import subprocess, sys; print(subprocess.Popen(['sleep', '600']).pid, flush=True); sys.stdin.read()"


@dataclass(eq=False)
class FakeRequest:
    id: str
    worker_pid: int | None
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass
class FakeProcess:
    pid: int
    exitcode: int | None


@dataclass
class FakeWorker:
    """Holds its processes where Celery's worker does: in the pool of its pool."""

    pool: Any

    @classmethod
    def of(cls, *processes: FakeProcess) -> FakeWorker:
        return cls(SimpleNamespace(_pool=SimpleNamespace(_pool=list(processes))))


@pytest.fixture
def requests() -> Iterator[list[FakeRequest]]:
    before = set(state.active_requests)
    held: list[FakeRequest] = []
    yield held
    for request in set(state.active_requests) - before:
        state.active_requests.discard(request)


def hand_out(requests: list[FakeRequest], job_id: int, pid: int | None) -> None:
    requests.append(FakeRequest(f"message-{job_id}", pid, {"job_id": job_id}))
    state.active_requests.add(requests[-1])


@pytest.fixture
def family() -> Iterator[tuple[subprocess.Popen[str], int]]:
    child = subprocess.Popen(
        [sys.executable, "-c", FAMILY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    yield child, int(child.stdout.readline())
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.communicate()


def wait_until(condition: Callable[[], bool], limit_seconds: float = 10.0) -> None:
    deadline = time.monotonic() + limit_seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_running_jobs_are_those_that_a_child_accepted(requests: list[FakeRequest]) -> None:
    hand_out(requests, 7, 1234)
    hand_out(requests, 8, None)  # no child has it yet
    requests.append(FakeRequest("other", 1235, {}))  # no job's message
    state.active_requests.add(requests[-1])
    assert CeleryChildren().running() == {RunningJob(job_id=7, pid=1234)}


@pytest.mark.skipif(sys.platform != "linux", reason="descendants are read from /proc")
def test_kill_ends_the_child_and_all_it_started(
    requests: list[FakeRequest], family: tuple[subprocess.Popen[str], int]
) -> None:
    child, grandchild = family
    hand_out(requests, 7, child.pid)
    children = CeleryChildren()
    [job] = children.running()
    below = grandchild
    assert children.is_alive(job.pid)
    assert children.is_alive(below)
    assert children.kill(job)
    assert child.wait(timeout=10) == -signal.SIGKILL
    wait_until(lambda: not children.is_alive(below))


def test_child_that_went_on_to_another_job_is_left_alone(
    requests: list[FakeRequest], family: tuple[subprocess.Popen[str], int]
) -> None:
    child, _ = family
    hand_out(requests, 8, child.pid)
    assert not CeleryChildren().kill(RunningJob(job_id=7, pid=child.pid))
    assert child.poll() is None


def test_death_is_told_once_with_its_cause_as_soon_as_it_is_seen(requests: list[FakeRequest]) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    hand_out(requests, 7, child.pid)
    children = CeleryChildren()
    children.follow(FakeWorker.of(FakeProcess(pid=child.pid, exitcode=-9)))
    assert children.deaths() == {child.pid: "Worker exited prematurely: signal 9 (SIGKILL)."}
    assert children.deaths() == {}


def test_living_child_is_not_told_as_dead(
    requests: list[FakeRequest], family: tuple[subprocess.Popen[str], int]
) -> None:
    child, _ = family
    hand_out(requests, 7, child.pid)
    children = CeleryChildren()
    children.follow(FakeWorker.of(FakeProcess(pid=child.pid, exitcode=None)))
    assert children.deaths() == {}


def test_zombie_does_not_count_as_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not CeleryChildren().is_alive(child.pid)
    assert child.wait() == 0

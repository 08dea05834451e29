"""The worker's parent process keeps the claims of its children alive, and ends what must not run on.

The parent does it, as a child that computes or hangs can't. Each beat takes a database connection of its own
and closes it again: a fork must never copy an open one, so it waits for the beat's end.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog
from django.db import connections

from pagoda.jobs import sayings
from pagoda.jobs.store import Attempt, Failure
from pagoda.jobs.store import Heartbeat as Findings
from pagoda_worker import liveness, task_fence
from pagoda_worker.children import Children, RunningJob

TICK_SECONDS = 0.25  # between two looks at the children, which cost no query
LONGEST_BEAT_SECONDS = 2.0  # between two queries while jobs run: how late a cancelled job may be killed
BEATS_PER_LEASE = 4
TOUCH_SECONDS = 2.0
SAY_ALIVE_SECONDS = 5.0

Token = tuple[int, int, str]
"""What names an attempt among all."""

log = structlog.get_logger(__name__)


class Leases(Protocol):
    """What a heartbeat needs of the store of jobs; the module `pagoda.jobs.store` has it all."""

    def attempts_of(self, node: str) -> Iterable[Attempt]: ...

    def heartbeat(
        self, attempts: Iterable[Attempt], lease_seconds: float, *, cancel_grace_seconds: float
    ) -> Findings: ...

    def lose(self, attempt: Attempt, *, cause: str) -> Failure: ...

    def end_killed(self, attempt: Attempt) -> bool: ...

    def release(self, attempt: Attempt, *, reason: str) -> bool: ...


@dataclass(slots=True)
class Heart:
    """One worker's heartbeat; `tick` is called again and again by one thread."""

    node: str  # the worker's name, under which its children claim
    leases: Leases
    children: Children
    lease_seconds: float
    cancel_grace_seconds: float
    clock: Callable[[], float] = time.monotonic
    _is_busy: bool = False  # a child may have a claim
    _beat_at: float = float("-inf")
    _drain_until: float = float("inf")
    _causes: dict[int, str] = field(default_factory=dict)  # {pid: how it died}
    _held: tuple[Attempt, ...] = ()  # at the last beat
    _strays: frozenset[Token] = frozenset()  # claims of children that were seen at other work
    _gone: dict[RunningJob, float] = field(default_factory=dict)  # still running, its claim lost since

    def tick(self) -> None:
        """Look at the children, and beat when it is time or one of them died."""
        deaths = self.children.deaths()
        self._causes |= deaths
        self._is_busy = self._is_busy or bool(deaths) or bool(self.children.running())
        if not self._is_busy or not (deaths or self.clock() >= self._beat_at):
            return
        self._beat_at = self.clock() + min(LONGEST_BEAT_SECONDS, self.lease_seconds / BEATS_PER_LEASE)
        self.beat()

    def drain(self, seconds: float) -> None:
        """Let what runs go on for `seconds`, then give it back to its queue. Safe in a signal handler."""
        self._drain_until = min(self._drain_until, self.clock() + seconds)

    def bury(self, node: str) -> None:
        """Report the attempts of another worker, none of whose processes lives any more."""
        for attempt in self.leases.attempts_of(node):
            outcome = self.leases.lose(attempt, cause=sayings.NODE_KILLED.format(node=node))
            log.warning("job_worker_gone", **_ids(attempt), worker=node, outcome=outcome.value)

    def beat(self) -> None:
        """Renew the claims of living children, report the dead ones, kill what is not to run on."""
        attempts = tuple(self.leases.attempts_of(self.node))
        living = self._bury(attempts)
        if self.clock() >= self._drain_until:
            self._give_back(living)
            return
        self._renew(living)
        self._end_gone(attempts)
        self._held = attempts
        self._is_busy = bool(attempts) or bool(self.children.running())

    def _bury(self, attempts: tuple[Attempt, ...]) -> tuple[Attempt, ...]:
        """Report the attempts whose process is gone; return the others."""
        living = []
        for attempt in attempts:
            cause = self._causes.get(attempt.pid)
            if self.children.is_alive(attempt.pid):
                living.append(attempt)
            elif cause is None and running_job(attempt) in self.children.running():
                continue  # Celery lists it until it tells how the child died
            else:
                self._lose(attempt, cause or sayings.PROCESS_GONE)
        self._causes.clear()
        return tuple(living)

    def _lose(self, attempt: Attempt, cause: str) -> None:
        outcome = self.leases.lose(attempt, cause=cause)
        log.error("job_process_died", **_ids(attempt), cause=cause, outcome=outcome.value)
        task_fence.tell(attempt, "raised", error=f"its process died: {cause}")

    def _renew(self, living: tuple[Attempt, ...]) -> None:
        found = self.leases.heartbeat(
            self._without_strays(living), self.lease_seconds, cancel_grace_seconds=self.cancel_grace_seconds
        )
        for attempt in dict.fromkeys((*found.cancel_overdue, *found.past_hard_limit)):
            if self._kill(running_job(attempt)):
                self.leases.end_killed(attempt)
                if attempt in found.past_hard_limit:
                    task_fence.tell(attempt, "timeout", error="it ran past its hard limit")

    def _without_strays(self, attempts: tuple[Attempt, ...]) -> tuple[Attempt, ...]:
        """Leave out claims that a child left behind: seen twice in a row at no, or other, work.

        Once is no proof: a child claims before the parent hears that it has accepted the message. Such a
        claim runs out, and the dispatcher queues the job again.
        """
        running = self.children.running()
        idle = frozenset(attempt.token for attempt in attempts if running_job(attempt) not in running)
        left, self._strays = idle & self._strays, idle
        return tuple(attempt for attempt in attempts if attempt.token not in left)

    def _end_gone(self, attempts: tuple[Attempt, ...]) -> None:
        """Kill what runs on without its claim, or after its job's end, and had its time to stop by itself."""
        held = {running_job(attempt) for attempt in attempts}
        seen = {running_job(attempt) for attempt in self._held} | self._gone.keys()
        now = self.clock()
        self._gone = {job: self._gone.get(job, now) for job in (seen & self.children.running()) - held}
        for job, since in self._gone.items():
            if now - since >= self.cancel_grace_seconds:
                self._kill(job)

    def _give_back(self, living: tuple[Attempt, ...]) -> None:
        for attempt in living:
            if self._kill(running_job(attempt)):
                self.leases.release(attempt, reason=sayings.WORKER_STOPPED)

    def _kill(self, job: RunningJob) -> bool:
        is_killed = self.children.kill(job)
        if is_killed:
            log.warning("job_process_killed", job_id=job.job_id, pid=job.pid)
        return is_killed


class HeartThread:
    """Beats in a thread of the parent until stopped; a fork waits while a beat has the database open."""

    def __init__(
        self, heart: Heart, alive_file: Path | None = None, *, say_alive: Callable[[], object] | None = None
    ) -> None:
        self._heart = heart
        self._alive_file = alive_file
        self._say_alive = say_alive  # to the other processes, through the database
        self._said_at = float("-inf")
        self._stopping = threading.Event()
        self._no_fork = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Start beating."""
        os.register_at_fork(
            before=self._no_fork.acquire,
            after_in_parent=self._no_fork.release,
            after_in_child=self._no_fork.release,
        )
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what it did last is finished."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        touch_at = float("-inf")
        while not self._stopping.wait(TICK_SECONDS):
            if time.monotonic() >= touch_at:
                touch_at = time.monotonic() + TOUCH_SECONDS
                liveness.touch(self._alive_file)
            with self._no_fork:
                self.tick()

    def tick(self) -> None:
        """Do one step of the heartbeat, come what may."""
        try:
            self._heart.tick()
            if self._say_alive is not None and time.monotonic() >= self._said_at + SAY_ALIVE_SECONDS:
                self._said_at = time.monotonic()
                self._say_alive()
        except Exception:  # the fence: a database that is away must not end the heartbeat
            log.exception("heartbeat_failed", node=self._heart.node)
        finally:
            connections.close_all()


def running_job(attempt: Attempt) -> RunningJob:
    """Return what the worker's parent sees of an attempt."""
    return RunningJob(job_id=attempt.job_id, pid=attempt.pid)


def _ids(attempt: Attempt) -> dict[str, object]:
    return {
        "job_id": attempt.job_id,
        "plugin": attempt.plugin,
        "operation": attempt.operation_name,
        "attempt": attempt.number,
        "pid": attempt.pid,
    }

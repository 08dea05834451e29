"""What a worker's child processes run at the moment, and how one is ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from billiard.common import human_status
from billiard.exceptions import WorkerLostError
from celery import Celery
from celery.worker import state
from celery.worker.request import Request

from pagoda.jobs.sayings import PROCESS_EXITED

SNAPSHOT_TRIES = 10
PROC = Path("/proc/self")  # where the kernel tells about processes; Linux only


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJob:
    """A job that a child has been given."""

    job_id: int
    pid: int  # of the child


class Children(Protocol):
    """The child processes of this worker."""

    def running(self) -> frozenset[RunningJob]:
        """Return what runs now."""
        ...

    def deaths(self) -> dict[int, str]:
        """Return ``{pid: cause}`` of the children that died at work since the last call."""
        ...

    def is_alive(self, pid: int) -> bool:
        """Return whether the process still exists."""
        ...

    def kill(self, job: RunningJob) -> bool:
        """End the child with all it started, unless it has gone on to another job; True if it was ended."""
        ...


class ChildProcess(Protocol):
    """A process of billiard's pool."""

    @property
    def pid(self) -> int: ...

    @property
    def exitcode(self) -> int | None: ...


class CeleryChildren:
    """The children of Celery's prefork pool, known from the messages that the parent has handed out."""

    def __init__(self) -> None:
        self._deaths: dict[int, str] = {}  # as Celery tells them, some seconds later with some brokers
        self._told: set[int] = set()
        self._processes: Callable[[], Iterable[ChildProcess]] = tuple

    def watch(self, app: Celery) -> None:
        """Learn how children die, from the requests of this app's tasks; call it before the worker starts."""
        request_class = _reporting_to(self._deaths)
        for task in app.tasks.values():
            task.Request = request_class  # type: ignore[assignment]  # a class does as well as its path

    def follow(self, worker: Any) -> None:
        """Look at the pool of this worker, once it has started, for how a child ended."""
        self._processes = lambda: tuple(worker.pool._pool._pool)

    def running(self) -> frozenset[RunningJob]:
        """Return the jobs of the messages that a child has accepted and not answered."""
        return frozenset(job for request in _requests() if (job := _job_of(request)) is not None)

    def deaths(self) -> dict[int, str]:
        """Return how children died since the last call, each once."""
        news = {pid: self._deaths.pop(pid) for pid in tuple(self._deaths)} | self._found_dead()
        news = {pid: cause for pid, cause in news.items() if pid not in self._told}
        self._told |= news.keys()
        return news

    def _found_dead(self) -> dict[int, str]:
        silent = {job.pid for job in self.running() if job.pid not in self._told and not is_running(job.pid)}
        ended = [process for process in self._processes() if process.pid in silent] if silent else []
        return {
            process.pid: PROCESS_EXITED.format(how=human_status(process.exitcode))
            for process in ended
            if process.exitcode is not None
        }

    def is_alive(self, pid: int) -> bool:
        """Return whether the process exists; one that ended and is not reaped yet does not count."""
        return is_running(pid)

    def kill(self, job: RunningJob) -> bool:
        """Send -9 to the child and its descendants.

        With a prefetch of one, a child gets its next message only after this process has dropped the last
        one, so that a job still listed is the one that runs.
        """
        if job not in self.running() or not _is_own(job.pid):
            return False
        for pid in (*_descendants(job.pid), job.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return True


def is_running(pid: int) -> bool:
    """Return whether the process exists; one that ended and is not reaped yet does not count."""
    if not PROC.exists():
        return _takes_signals(pid)
    return (_stat_fields(pid) or "Z")[0] not in "ZX"


def _reporting_to(deaths: dict[int, str]) -> type[Request]:
    class ReportingRequest(Request):
        """Celery's request, which the parent calls when the child that had it is gone."""

        def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
            wrapped = exc_info.exception
            cause = getattr(wrapped, "exc", wrapped)  # billiard wraps what it pickles
            pid: Any = self.worker_pid  # a number; the stubs say a string
            if isinstance(cause, WorkerLostError) and pid is not None:
                deaths[pid] = str(cause)
            super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)

    return ReportingRequest


def _requests() -> tuple[Any, ...]:
    """Return Celery's active requests; another thread changes the set while it is read."""
    for _ in range(SNAPSHOT_TRIES):
        with suppress(RuntimeError):  # changed size during iteration
            return tuple(state.active_requests)
    return ()


def _job_of(request: Any) -> RunningJob | None:
    job_id = (request.kwargs or {}).get("job_id")
    if job_id is None or request.worker_pid is None:
        return None
    return RunningJob(job_id=int(job_id), pid=request.worker_pid)


def _descendants(root: int) -> tuple[int, ...]:
    """Return the processes below `root`, the deepest first; none where there is no ``/proc``."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return tuple(reversed(found))


def _parents() -> Iterator[tuple[int, int]]:
    for entry in PROC.parent.glob("[0-9]*"):
        fields = _stat_fields(int(entry.name))
        if fields:
            yield int(entry.name), int(fields[1])


def _is_own(pid: int) -> bool:
    """Return whether `pid` is a living child of this process, and no other one with its number."""
    if not PROC.exists():
        return _takes_signals(pid)
    return is_running(pid) and _stat_fields(pid)[1:2] == [str(os.getpid())]


def _takes_signals(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _stat_fields(pid: int) -> list[str]:
    """Return what follows the command's name in ``/proc/PID/stat``: state, parent, ..."""
    with suppress(OSError):
        text = PROC.with_name(str(pid)).joinpath("stat").read_text(encoding="ascii", errors="replace")
        return text.rpartition(")")[2].split()
    return []

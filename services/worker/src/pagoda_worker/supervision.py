"""Keep a set of child processes running: start, watch, restart with backoff, drain, leave nothing behind."""

from __future__ import annotations

import enum
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog

from pagoda.cli.tables import table_text
from pagoda_worker.tether import tethered

COLUMNS = ("PLUGIN", "QUEUE", "PID", "CONCURRENCY", "MEMORY", "STATE")

log = structlog.get_logger(__name__)


class ChildState(enum.StrEnum):
    """What one child is doing."""

    STARTING = "starting"  # the process exists and has not said that it is ready
    READY = "ready"  # it consumes its queue (or does its work, without one)
    WAITING = "waiting"  # it died and is started again after its backoff
    DRAINING = "draining"  # asked to stop, finishing what it runs
    STOPPED = "stopped"  # ended, and not to be started again


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """One process of the fleet."""

    name: str  # what it serves: a plugin's id, "core", "dispatcher", ...
    command: tuple[str, ...]
    queue: str = ""  # the only queue it consumes, "" for a process without one
    concurrency: int | None = None  # jobs at once
    memory_mb: int | None = None  # per job process
    ready_file: Path | None = None  # exists once the process is ready; None: ready when started


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before the n-th start in a row of a process that keeps dying."""

    first_seconds: float = 0.5
    factor: float = 2.0
    longest_seconds: float = 5.0
    stable_seconds: float = 60.0  # a process that lived this long starts counting anew

    def delay(self, failures: int) -> float:
        return min(self.longest_seconds, self.first_seconds * self.factor ** min(max(failures - 1, 0), 32))


class Process(Protocol):
    """The part of ``subprocess.Popen`` that supervision uses."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...


@dataclass(slots=True)
class Child:
    """A spec and the process that runs it at the moment."""

    spec: ChildSpec
    state: ChildState = ChildState.STOPPED
    process: Process | None = None
    failures: int = 0  # deaths in a row
    started_at: float = 0.0
    restart_at: float = 0.0
    last_exit: str = ""

    @property
    def is_alive(self) -> bool:
        return self.process is not None


class Launcher(Protocol):
    """Starts processes and signals them with everything they started."""

    def start(self, spec: ChildSpec) -> Process: ...

    def send(self, process: Process, number: signal.Signals) -> None: ...


class SubprocessLauncher:
    """Starts each child in a session of its own, tied to this process."""

    def start(self, spec: ChildSpec) -> Process:
        # A session of its own: ctrl-c reaches the supervisor alone, which then drains in order.
        return subprocess.Popen(  # noqa: S603 - our own command lines
            tethered(spec.command), stdin=subprocess.DEVNULL, start_new_session=True
        )

    def send(self, process: Process, number: signal.Signals) -> None:
        try:
            if number is signal.SIGKILL:
                os.killpg(process.pid, number)
            else:
                os.kill(process.pid, number)  # its own children are its own to stop
        except ProcessLookupError:
            return  # it ended just now; the next poll says how


@dataclass(slots=True)
class Supervisor:
    """Hold the fleet to its specs; the caller calls ``step()`` again and again. Not thread-safe."""

    specs: Sequence[ChildSpec]
    launcher: Launcher
    clock: Callable[[], float]
    backoff: Backoff = field(default_factory=Backoff)
    children: list[Child] = field(init=False)

    def __post_init__(self) -> None:
        self.children = [Child(spec) for spec in self.specs]

    def start(self) -> None:
        """Start every child."""
        for child in self.children:
            self._start(child)

    def step(self) -> bool:
        """Reap what died, start what is due, note what became ready; True if any state changed."""
        before = [child.state for child in self.children]
        for child in self.children:
            self._reap(child)
            if child.state is ChildState.WAITING and self.clock() >= child.restart_at:
                self._start(child)
            if child.state is ChildState.STARTING and self._is_ready(child):
                child.state = ChildState.READY
        return before != [child.state for child in self.children]

    def drain(self) -> None:
        """Ask every child to finish what it runs and end; none is started again."""
        for child in self.children:
            child.state = ChildState.DRAINING if child.is_alive else ChildState.STOPPED
            if child.process is not None:
                self.launcher.send(child.process, signal.SIGTERM)

    def kill(self) -> None:
        """End every child that is still there, and what it started, at once."""
        for child in self.children:
            if child.process is not None:
                log.warning("child_killed", name=child.spec.name, pid=child.process.pid)
                self.launcher.send(child.process, signal.SIGKILL)

    @property
    def is_ready(self) -> bool:
        """Return whether every child does its work."""
        return all(child.state is ChildState.READY for child in self.children)

    @property
    def is_stopped(self) -> bool:
        return all(child.state is ChildState.STOPPED for child in self.children)

    def _start(self, child: Child) -> None:
        if child.spec.ready_file is not None:
            child.spec.ready_file.unlink(missing_ok=True)
        child.process = self.launcher.start(child.spec)
        child.state = ChildState.STARTING
        child.started_at = self.clock()
        log.info("child_started", name=child.spec.name, pid=child.process.pid, failures=child.failures)

    def _reap(self, child: Child) -> None:
        code = child.process.poll() if child.process is not None else None
        if child.process is None or code is None:
            return
        # What it left running (a job's own children) has no one to report to.
        self.launcher.send(child.process, signal.SIGKILL)
        child.process = None
        child.last_exit = exit_text(code)
        if child.state is ChildState.DRAINING:
            child.state = ChildState.STOPPED
            return
        self._plan_restart(child)

    def _plan_restart(self, child: Child) -> None:
        now = self.clock()
        is_stable = now - child.started_at >= self.backoff.stable_seconds
        child.failures = 1 if is_stable else child.failures + 1
        delay = self.backoff.delay(child.failures)
        child.restart_at = now + delay
        child.state = ChildState.WAITING
        log.error(
            "child_died",
            name=child.spec.name,
            exit=child.last_exit,
            failures=child.failures,
            restart_in_seconds=delay,
        )

    @staticmethod
    def _is_ready(child: Child) -> bool:
        return child.spec.ready_file is None or child.spec.ready_file.exists()


def exit_text(code: int) -> str:
    """Return how a process ended: ``exit 2``, ``SIGKILL``."""
    if code >= 0:
        return f"exit {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def render(children: Sequence[Child], now: float) -> str:
    """Return the table of what runs where, a line per child."""
    return table_text(COLUMNS, (_row(child, now) for child in children))


def _row(child: Child, now: float) -> tuple[str, ...]:
    spec = child.spec
    return (
        spec.name,
        spec.queue or "-",
        "-" if child.process is None else str(child.process.pid),
        "-" if spec.concurrency is None else str(spec.concurrency),
        "-" if spec.memory_mb is None else f"{spec.memory_mb} MB",
        _state_text(child, now),
    )


def _state_text(child: Child, now: float) -> str:
    if child.state is ChildState.WAITING:
        wait = max(0.0, child.restart_at - now)
        return f"{child.state} ({child.last_exit}, death {child.failures}, next start in {wait:.1f} s)"
    return str(child.state)

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pagoda_worker.supervision import Backoff, ChildSpec, ChildState, Process, Supervisor, exit_text, render


@dataclass
class FakeProcess:
    pid: int
    code: int | None = None

    def poll(self) -> int | None:
        return self.code


@dataclass
class FakeLauncher:
    started: list[FakeProcess] = field(default_factory=list)
    sent: list[tuple[int, signal.Signals]] = field(default_factory=list)

    def start(self, spec: ChildSpec) -> FakeProcess:
        self.started.append(FakeProcess(pid=100 + len(self.started)))
        return self.started[-1]

    def send(self, process: Process, number: signal.Signals) -> None:
        self.sent.append((process.pid, number))


@dataclass
class FakeClock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


BACKOFF = Backoff(first_seconds=1, factor=2, longest_seconds=5, stable_seconds=60)


def make(*specs: ChildSpec) -> tuple[Supervisor, FakeLauncher, FakeClock]:
    launcher, clock = FakeLauncher(), FakeClock()
    fleet = Supervisor(
        specs or (ChildSpec(name="core", command=("true",), queue="core"),), launcher, clock, BACKOFF
    )
    fleet.start()
    return fleet, launcher, clock


def states(fleet: Supervisor) -> list[ChildState]:
    return [child.state for child in fleet.children]


@pytest.mark.parametrize(
    ("failures", "expected"),
    [(0, 1.0), (1, 1.0), (2, 2.0), (3, 4.0), (4, 5.0), (10_000, 5.0)],
)
def test_backoff_doubles_up_to_its_longest(failures: int, expected: float) -> None:
    assert BACKOFF.delay(failures) == expected


def test_child_without_ready_file_is_ready_when_started() -> None:
    fleet, launcher, _ = make()
    assert fleet.step()
    assert states(fleet) == [ChildState.READY]
    assert len(launcher.started) == 1
    assert not fleet.step()


def test_child_is_ready_once_its_file_exists(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    ready.touch()  # left by an earlier process, and removed at the start
    fleet, _, _ = make(ChildSpec(name="core", command=("true",), ready_file=ready))
    fleet.step()
    assert states(fleet) == [ChildState.STARTING]
    ready.touch()
    fleet.step()
    assert states(fleet) == [ChildState.READY]


def test_dead_child_is_started_again_after_its_backoff() -> None:
    fleet, launcher, clock = make()
    launcher.started[0].code = -9
    assert fleet.step()
    child = fleet.children[0]
    assert (child.state, child.last_exit, child.restart_at) == (ChildState.WAITING, "SIGKILL", 1001.0)
    clock.now += 0.9
    fleet.step()
    assert len(launcher.started) == 1
    clock.now += 0.1
    fleet.step()
    assert len(launcher.started) == 2
    assert child.state is ChildState.READY


def test_what_a_dead_child_left_running_is_killed() -> None:
    fleet, launcher, _ = make()
    launcher.started[0].code = 1
    fleet.step()
    assert launcher.sent == [(100, signal.SIGKILL)]


def test_backoff_grows_with_deaths_in_a_row() -> None:
    fleet, launcher, clock = make()
    waits = []
    for _ in range(4):
        launcher.started[-1].code = 1
        fleet.step()
        waits.append(fleet.children[0].restart_at - clock.now)
        clock.now = fleet.children[0].restart_at
        fleet.step()
    assert waits == [1.0, 2.0, 4.0, 5.0]


def test_backoff_starts_anew_after_a_stable_life() -> None:
    fleet, launcher, clock = make()
    fleet.children[0].failures = 5
    clock.now += 60
    launcher.started[-1].code = 1
    fleet.step()
    assert fleet.children[0].failures == 1


def test_other_children_keep_running_when_one_dies() -> None:
    fleet, launcher, _ = make(
        ChildSpec(name="core", command=("true",)), ChildSpec(name="inventory", command=("true",))
    )
    fleet.step()
    launcher.started[0].code = 1
    fleet.step()
    assert states(fleet) == [ChildState.WAITING, ChildState.READY]
    assert len(launcher.started) == 2


def test_drain_stops_every_child_and_starts_none_again() -> None:
    fleet, launcher, clock = make(
        ChildSpec(name="core", command=("true",)), ChildSpec(name="inventory", command=("true",))
    )
    launcher.started[1].code = 1
    fleet.step()
    fleet.drain()
    assert launcher.sent == [(101, signal.SIGKILL), (100, signal.SIGTERM)]
    assert states(fleet) == [ChildState.DRAINING, ChildState.STOPPED]
    launcher.started[0].code = 0
    clock.now += 1000
    fleet.step()
    assert states(fleet) == [ChildState.STOPPED, ChildState.STOPPED]
    assert fleet.is_stopped
    assert len(launcher.started) == 2


def test_kill_reaches_only_what_is_still_there() -> None:
    fleet, launcher, _ = make(
        ChildSpec(name="core", command=("true",)), ChildSpec(name="inventory", command=("true",))
    )
    fleet.drain()
    launcher.started[0].code = 0
    fleet.step()
    launcher.sent.clear()
    fleet.kill()
    assert launcher.sent == [(101, signal.SIGKILL)]


@pytest.mark.parametrize(
    ("code", "text"), [(0, "exit 0"), (2, "exit 2"), (-15, "SIGTERM"), (-9, "SIGKILL"), (-99, "signal 99")]
)
def test_exit_is_told_in_words(code: int, text: str) -> None:
    assert exit_text(code) == text


def test_table_shows_what_runs_where() -> None:
    fleet, launcher, clock = make(
        ChildSpec(name="dispatcher", command=("true",)),
        ChildSpec(
            name="inventory", command=("true",), queue="plugin.inventory", concurrency=2, memory_mb=512
        ),
    )
    launcher.started[0].code = -9
    fleet.step()
    clock.now += 0.5
    waiting = "waiting (SIGKILL, death 1, next start in 0.5 s)"
    assert render(fleet.children, clock.now).splitlines() == [
        "PLUGIN      QUEUE             PID  CONCURRENCY  MEMORY  STATE",
        f"dispatcher  -                 -    -            -       {waiting}",
        "inventory   plugin.inventory  101  2            512 MB  ready",
    ]

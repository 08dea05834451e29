from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pagoda_worker.fleet import StopRequest, make_run_dir, specs
from pagoda_worker.supervision import ChildSpec
from pagoda_worker.targets import Target

CORE = Target(name="core", queue="core", concurrency=1, memory_mb=512)
INVENTORY = Target(name="inventory", queue="plugin.inventory", concurrency=2, memory_mb=256)
COMMAND = (sys.executable, "-m", "pagoda_worker.cli")


@pytest.fixture
def stop_request() -> Iterator[StopRequest]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    made = StopRequest()
    made.install()
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


def test_fleet_is_a_dispatcher_and_a_worker_per_target(tmp_path: Path) -> None:
    assert specs([CORE, INVENTORY], tmp_path) == (
        ChildSpec(
            name="dispatcher",
            command=(*COMMAND, "dispatch", "--alive-file", str(tmp_path / "dispatcher.alive")),
            ready_file=tmp_path / "dispatcher.alive",
        ),
        ChildSpec(
            name="core",
            command=(*COMMAND, "run", "--core", "--alive-file", str(tmp_path / "core.alive")),
            queue="core",
            concurrency=1,
            memory_mb=512,
            ready_file=tmp_path / "core.alive",
        ),
        ChildSpec(
            name="inventory",
            command=(
                *(*COMMAND, "run", "--plugin", "inventory"),
                *("--alive-file", str(tmp_path / "inventory.alive")),
            ),
            queue="plugin.inventory",
            concurrency=2,
            memory_mb=256,
            ready_file=tmp_path / "inventory.alive",
        ),
    )


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_first_signal_drains_and_the_second_is_urgent(
    stop_request: StopRequest, first: signal.Signals
) -> None:
    seen = [(stop_request.is_made, stop_request.is_urgent)]
    for number in (first, signal.SIGINT):
        signal.raise_signal(number)
        seen.append((stop_request.is_made, stop_request.is_urgent))
    assert seen == [(False, False), (True, False), (True, True)]


def test_folder_of_a_killed_supervisor_is_removed(tmp_path: Path) -> None:
    gone, running, stray = tmp_path / "999999999", tmp_path / str(os.getppid()), tmp_path / "core.alive"
    for folder in (gone, running, stray):
        folder.mkdir()
    own = make_run_dir(tmp_path)
    assert own == tmp_path / str(os.getpid())
    assert sorted(tmp_path.iterdir()) == sorted([own, running])


def test_own_folder_starts_empty(tmp_path: Path) -> None:
    (make_run_dir(tmp_path) / "core.alive").touch()
    assert list(make_run_dir(tmp_path).iterdir()) == []

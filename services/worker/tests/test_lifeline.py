from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pagoda_worker import lifeline

PLACE = "core@host"


def buried(folder: Path, place: str = PLACE) -> list[str]:
    found: list[str] = []
    lifeline.bury(folder, place, found.append)
    return found


def die_holding(folder: Path, node: str) -> None:
    """Have a process take a lifeline and be killed."""
    pid = os.fork()
    if pid == 0:
        lifeline.hold(folder, node)
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)


def test_the_dead_of_a_place_are_buried_once(tmp_path: Path) -> None:
    folder = tmp_path / "workers"
    for node in ("core@host.1", "core@host.22", "core@host.example.3", "other@host.4"):
        die_holding(folder, node)

    assert buried(folder) == ["core@host.1", "core@host.22"]
    assert buried(folder) == []
    assert buried(folder, "core@host.example") == ["core@host.example.3"]


def test_a_worker_whose_child_lives_is_left_alone(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        lifeline.hold(tmp_path, "core@host.1")
        if os.fork() == 0:
            os.close(writing)
            os.read(reading, 1)  # until the test lets go
        os._exit(0)
    os.close(reading)
    os.waitpid(pid, 0)
    assert buried(tmp_path) == []

    os.close(writing)

    until = time.monotonic() + 30
    while not (found := buried(tmp_path)) and time.monotonic() < until:
        time.sleep(0.01)
    assert found == ["core@host.1"]


def test_what_can_not_be_given_back_is_tried_by_the_next(tmp_path: Path) -> None:
    die_holding(tmp_path, "core@host.1")

    def fail(_node: str) -> None:
        raise OSError("the database is away")

    with pytest.raises(OSError, match="away"):
        lifeline.bury(tmp_path, PLACE, fail)
    assert buried(tmp_path) == ["core@host.1"]

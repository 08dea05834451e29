"""Slots are shared by threads and by processes, and those of a process that dies come back."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from pagoda.config.loading import load_settings
from pagoda_api import bulkhead as bulkheads
from pagoda_api.bulkhead import Bulkhead


def in_child(function: Callable[[], bool]) -> bool:
    """Return what `function` returns in a forked process."""
    child = os.fork()
    if child == 0:
        os._exit(40 if function() else 41)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 40


pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


def test_slots_are_given_back_and_belong_to_one_plugin() -> None:
    bulkhead = Bulkhead(limit=2, process_limit=2)
    places = [bulkhead.take("one"), bulkhead.take("one")]
    assert None not in places
    assert bulkhead.take("one") is None
    assert bulkhead.take("two") is not None
    bulkhead.give_back(places[0])
    assert bulkhead.take("one") == places[0]


def test_a_process_has_a_limit_of_its_own() -> None:
    bulkhead = Bulkhead(limit=2, process_limit=1)
    assert bulkhead.take("one") is not None
    assert bulkhead.take("one") is None
    assert in_child(lambda: Bulkhead.take(bulkhead, "two") is not None)


def test_processes_share_the_slots() -> None:
    bulkhead = Bulkhead(limit=1, process_limit=1)
    assert in_child(lambda: bulkhead.take("one") is not None)
    assert bulkhead.take("one") is not None
    assert not in_child(lambda: bulkhead.take("one") is not None)


def test_the_slot_of_a_process_that_was_killed_is_free() -> None:
    bulkhead = Bulkhead(limit=1, process_limit=1)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        bulkhead.take("one")
        os.write(writing, b"taken")
        signal.pause()
    os.read(reading, 5)
    assert bulkhead.take("one") is None
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert bulkhead.take("one") is not None


def test_processes_of_one_plugin_never_hold_more_than_its_share() -> None:
    bulkhead = Bulkhead(limit=2, process_limit=1)
    reading, writing = os.pipe()
    children = []
    for _ in range(6):
        child = os.fork()
        if child == 0:
            os.write(writing, b"n" if bulkhead.take("one") is None else b"y")
            signal.pause()
        children.append(child)
        assert os.read(reading, 1) == (b"y" if len(children) <= 2 else b"n")
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert bulkhead.take("one") is not None


def test_a_row_of_a_process_that_is_gone_serves_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulkheads, "ROWS", 4)
    bulkhead = Bulkhead(limit=1, process_limit=1)
    for _ in range(8):
        assert in_child(lambda: bulkhead.take("one") is not None)


@pytest.mark.parametrize(("workers", "limit"), [("1", 1), ("2", 1), ("4", 2), ("5", 2)])
def test_a_plugins_share_is_half_and_at_least_one(workers: str, limit: int) -> None:
    assert Bulkhead.of(load_settings({"API_WORKERS": workers})).limit == limit


def test_the_share_is_a_setting() -> None:
    settings = load_settings({"API_WORKERS": "2", "PLUGIN_MAX_CONCURRENT_REQUESTS": "2"})
    assert Bulkhead.of(settings).limit == 2

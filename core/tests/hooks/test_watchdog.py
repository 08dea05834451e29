"""The watchdog's knocks: signals and events, in forked processes too."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from django.db import connection
from django.db.backends.utils import CursorWrapper
from structlog.testing import capture_logs

from pagoda.budget import TimeBudget, TimeBudgetExceeded
from pagoda.budget.cutting import CUT_SIGNAL, SPARED_KNOCKS
from pagoda.budget.frames import Mark
from pagoda.budget.time_budget import View
from pagoda.hooks.manager import HookManager

from .conftest import BUDGET_SECONDS, Calls
from .hanging import in_thread, spin


def test_a_knock_on_a_thread_that_runs_no_handler_does_nothing(impatient: HookManager, calls: Calls) -> None:
    impatient.register_hook("entry.after_create", calls.handler("h"))
    impatient.execute_hook("entry.after_create", "customer", None, None)
    signal.raise_signal(CUT_SIGNAL)
    assert calls.names == ["h"]


def test_a_mark_that_was_left_behind_never_hits_the_host(impatient: HookManager, calls: Calls) -> None:
    impatient.register_hook("entry.after_create", calls.handler("h"))
    impatient.execute_hook("entry.after_create", "customer", None, None)
    frame = impatient.budget.local.frame
    frame.running = View("p", 0.0)
    assert frame.watch(0.0) is None
    mark = frame.watch(0.0)
    assert mark is not None
    mark.knocks = 1
    signal.raise_signal(CUT_SIGNAL)
    frame.running = None
    assert calls.names == ["h"]


def test_a_previous_handler_of_the_signal_is_still_called(calls: Calls) -> None:
    before = signal.signal(CUT_SIGNAL, calls.handler("theirs"))
    hooks = HookManager(timeout_seconds=BUDGET_SECONDS)
    try:
        hooks.register_hook("entry.after_create", lambda *_args: None)
        hooks.execute_hook("entry.after_create", "customer", None, None)
        signal.raise_signal(CUT_SIGNAL)
    finally:
        signal.signal(CUT_SIGNAL, before)
        hooks.close()
    assert calls.names == ["theirs"]


def test_two_managers_in_one_process_each_keep_their_budget(impatient: HookManager) -> None:
    other = HookManager(timeout_seconds=BUDGET_SECONDS)
    records = []
    for hooks in (impatient, other):
        records.append(hooks.register_hook("entry.after_create", spin))
        hooks.execute_hook("entry.after_create", "customer", None, None)
    impatient.execute_hook("entry.after_create", "customer", None, None)
    assert impatient.statistics(records[0]).timeouts == 2
    assert other.statistics(records[1]).timeouts == 1
    other.close()


def test_events_are_off_again_after_a_cut(impatient: HookManager) -> None:
    impatient.register_hook("entry.after_create", spin)
    in_thread(lambda: impatient.execute_hook("entry.after_create", "customer", None, None))
    budget = impatient.budget
    budget.close()
    budget._look(time.monotonic())
    assert budget._tool is not None
    assert sys.monitoring.get_local_events(budget._tool, spin.__code__) == 0


def test_without_a_free_tool_number_it_is_said_that_nothing_is_cut_off(
    impatient: HookManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.monitoring, "get_tool", lambda _number: "somebody else's")
    released = threading.Event()
    logged = threading.Event()

    def handle(*_args: Any) -> None:
        released.wait()

    record = impatient.register_hook("entry.after_create", handle)
    with capture_logs() as logs:
        thread = threading.Thread(
            target=lambda: impatient.execute_hook("entry.after_create", "customer", None, None)
        )
        thread.start()
        while not logs:
            logged.wait(0.01)
        released.set()
        thread.join()
    assert logs[0]["event"] == "hook_not_cut_off"
    assert logs[0]["reason"] == "no monitoring tool number is free in this process"
    assert impatient.statistics(record).timeouts == 0


FORKING = """
import os, time, warnings
from pagoda.hooks.manager import HookManager

def hang(*args):
    {hanging}

hooks = HookManager(timeout_seconds=0.1)
hooks.register_hook("entity.after_create", lambda *args: None)
hooks.execute_hook("entity.after_create", None, None)
record = hooks.register_hook("entry.after_create", hang)
warnings.simplefilter("ignore", DeprecationWarning)  # that a process with threads forks is what is tested
child = os.fork()
if child:
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
hooks.execute_hook("entry.after_create", "customer", None, None)
os._exit(40 + hooks.statistics(record).timeouts)
"""


@pytest.mark.parametrize("hanging", ["while True: pass", "time.sleep(60)"])
def test_a_forked_process_has_a_watchdog_of_its_own(hanging: str) -> None:
    script = FORKING.format(hanging=hanging)
    ended = subprocess.run([sys.executable, "-c", script], check=False, timeout=30, capture_output=True)
    assert ended.returncode == 41, ended.stderr.decode()


def test_a_cut_is_not_lost_in_a_callback_of_the_garbage_collector(impatient: HookManager) -> None:
    import gc

    spent: list[float] = []

    def collected(_phase: str, _info: dict[str, int]) -> None:
        until = time.monotonic() + 0.01
        while time.monotonic() < until:
            pass
        spent.append(until)

    def collect_for_ever(*_args: Any) -> None:
        while True:
            gc.collect(0)

    record = impatient.register_hook("entry.after_create", collect_for_ever)
    gc.callbacks.append(collected)
    try:
        impatient.execute_hook("entry.after_create", "customer", None, None)
    finally:
        gc.callbacks.remove(collected)
    assert spent
    assert impatient.statistics(record).timeouts == 1


def test_nothing_is_cut_off_while_it_closes_a_cursor() -> None:
    budget, closed = TimeBudget(), []

    class Closing(CursorWrapper):
        def close(self) -> None:
            budget.strike(sys._getframe(1))  # in CursorWrapper.__exit__
            closed.append(self)

    def overdue() -> None:
        frame = budget.local.frame
        mark = Mark()
        mark.what, mark.knocks, mark.deadline = frame.running, 1, time.monotonic()
        frame.running = mark
        with Closing(None, connection):
            pass
        assert closed
        budget.strike(sys._getframe())

    with pytest.raises(TimeBudgetExceeded):
        budget.run_within(10, "acme", overdue)
    budget.close()
    assert len(closed) == 1


def test_a_late_watchdog_still_spares_a_finalizer_and_only_for_so_many_knocks() -> None:
    budget, mark, ended = TimeBudget(), Mark(), []

    class Finalized:
        def __del__(self) -> None:
            for mark.knocks in range(1, SPARED_KNOCKS + 1):
                budget.strike(sys._getframe())
            ended.append(mark.knocks)
            mark.knocks += 1
            with pytest.raises(TimeBudgetExceeded):
                budget.strike(sys._getframe())

    def overdue() -> None:
        frame = budget.local.frame
        mark.what, mark.knocks, mark.deadline = frame.running, 1, time.monotonic() - 3600
        frame.running = mark
        Finalized()

    budget.run_within(10, "acme", overdue)
    budget.close()
    assert ended == [SPARED_KNOCKS]

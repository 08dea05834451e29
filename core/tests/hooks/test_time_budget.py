"""Handlers that run too long are cut off, wherever they hang, and nobody else is."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from structlog.testing import capture_logs

from pagoda.budget import TimeBudgetExceeded
from pagoda.budget.cutting import CUT_SIGNAL
from pagoda.budget.time_budget import View
from pagoda.hooks.manager import HookManager

from .conftest import BUDGET_SECONDS, Calls

LONG = 60.0
CUT_OFF = "cut off: it ran longer than its time budget of 0.1 s"


def spin(*_args: Any) -> None:
    while True:
        pass


def spin_and_catch_errors(*_args: Any) -> None:
    while True:
        try:  # noqa: SIM105 - what a careless plugin does
            int("x")
        except Exception:  # noqa: BLE001
            pass


def spin_in_another_function(*_args: Any) -> None:
    def count() -> None:
        number = 0
        while True:
            number += 1

    count()


def spin_over_library_code(*_args: Any) -> None:
    while True:
        sorted(str(number) for number in range(100))


def spin_in_a_comprehension(*_args: Any) -> None:
    [None for _ in iter(int, 1)]


def sleep(*_args: Any) -> None:
    time.sleep(LONG)


def receive(*_args: Any) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.recv(1)


def wait_for_a_lock(*_args: Any) -> None:
    threading.Event().wait(LONG)


SPINNING = [
    spin,
    spin_and_catch_errors,
    spin_in_another_function,
    spin_over_library_code,
    spin_in_a_comprehension,
]
WAITING = [sleep, receive, wait_for_a_lock]


def in_thread(function: Callable[[], Any]) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001  # passed on below
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


@pytest.mark.parametrize("handler", [*SPINNING, *WAITING])
def test_in_the_main_thread_everything_is_cut_off(
    impatient: HookManager, calls: Calls, dispatch: Callable[..., Any], handler: Callable[..., Any]
) -> None:
    record = impatient.register_hook("entry.after_create", handler, plugin_id="slow")
    impatient.register_hook("entry.after_create", calls.handler("later"))
    with capture_logs() as logs:
        dispatch(impatient)
    assert calls.names == ["later"]
    assert [(log["event"], log["plugin"], log["error"]) for log in logs] == [
        ("hook_timed_out", "slow", CUT_OFF)
    ]
    figures = impatient.statistics(record)
    assert (figures.timeouts, figures.failures) == (1, 1)


@pytest.mark.parametrize("handler", SPINNING)
def test_in_other_threads_whatever_executes_python_is_cut_off(
    impatient: HookManager, calls: Calls, dispatch: Callable[..., Any], handler: Callable[..., Any]
) -> None:
    record = impatient.register_hook("entry.after_create", handler)
    impatient.register_hook("entry.after_create", calls.handler("later"))
    in_thread(lambda: dispatch(impatient))
    assert calls.names == ["later"]
    assert impatient.statistics(record).timeouts == 1


def test_in_other_threads_waiting_is_cut_off_when_it_returns(impatient: HookManager, calls: Calls) -> None:
    def nap(*_args: Any) -> None:
        time.sleep(4 * BUDGET_SECONDS)
        calls.names.append("went on")
        calls.names.append("and on")

    record = impatient.register_hook("entry.after_create", nap)
    in_thread(lambda: impatient.execute_hook("entry.after_create", "customer", None, None))
    assert calls.names == []
    assert impatient.statistics(record).timeouts == 1


def test_many_threads_are_cut_off_at_once(impatient: HookManager) -> None:
    record = impatient.register_hook("entry.after_create", spin)
    run = lambda: impatient.execute_hook("entry.after_create", "customer", None, None)  # noqa: E731
    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert impatient.statistics(record).timeouts == 4


@pytest.mark.parametrize("hook", ["entry.before_create", "entry.validate", "entry.get_attrs"])
def test_hooks_with_data_are_cut_off_too(impatient: HookManager, hook: str) -> None:
    args: dict[str, tuple[Any, ...]] = {
        "entry.before_create": ("customer", None, {"name": "n"}),
        "entry.validate": (None, "customer", "n", [], None),
        "entry.get_attrs": (None, [1], True),
    }
    record = impatient.register_hook(hook, spin)
    expected = {"entry.before_create": {"name": "n"}, "entry.validate": None, "entry.get_attrs": [1]}[hook]
    assert impatient.execute_hook(hook, *args[hook]) == expected
    assert impatient.statistics(record).timeouts == 1


def test_the_outer_handlers_budget_holds_for_what_it_starts(impatient: HookManager, calls: Calls) -> None:
    def outer(*_args: Any) -> None:
        while True:
            impatient.execute_hook("entity.after_create", None, None)

    record = impatient.register_hook("entry.after_create", outer)
    impatient.register_hook("entry.after_create", calls.handler("later"))
    inner = impatient.register_hook("entity.after_create", lambda *_args: None)
    impatient.execute_hook("entry.after_create", "customer", None, None)
    assert calls.names == ["later"]
    assert impatient.statistics(record).timeouts == 1
    assert impatient.statistics(inner).failures == 0
    assert impatient.budget.running() is None


def test_an_inner_handler_that_hangs_uses_up_the_outer_budget(impatient: HookManager, calls: Calls) -> None:
    def outer(*_args: Any) -> None:
        impatient.execute_hook("entity.after_create", None, None)

    record = impatient.register_hook("entry.after_create", outer)
    impatient.register_hook("entity.after_create", spin)
    impatient.register_hook("entry.after_create", calls.handler("later"))
    impatient.execute_hook("entry.after_create", "customer", None, None)
    assert calls.names == ["later"]
    assert impatient.statistics(record).timeouts <= 1
    assert impatient.budget.running() is None


def test_many_short_calls_are_not_one_long_one(impatient: HookManager) -> None:
    record = impatient.register_hook("entry.after_create", lambda *_args: None)
    until = time.monotonic() + 5 * BUDGET_SECONDS
    while time.monotonic() < until:
        impatient.execute_hook("entry.after_create", "customer", None, None)
    assert impatient.statistics(record).failures == 0


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
    mark.expired = True
    signal.raise_signal(CUT_SIGNAL)
    frame.running = None
    assert calls.names == ["h"]


def test_a_handler_gets_time_to_clean_up(impatient: HookManager, calls: Calls) -> None:
    def handle(*_args: Any) -> None:
        try:
            spin()
        finally:
            for step in range(20):
                calls.names.append(str(step))

    impatient.register_hook("entry.after_create", handle)
    impatient.execute_hook("entry.after_create", "customer", None, None)
    assert len(calls.names) == 20


def test_one_that_catches_everything_is_cut_off_again(impatient: HookManager) -> None:
    attempts: list[BaseException] = []

    def stubborn(*_args: Any) -> None:
        with suppress(TimeBudgetExceeded):
            spin()
        attempts.append(TimeBudgetExceeded(impatient.budget.local.frame, 0))
        spin()

    record = impatient.register_hook("entry.after_create", stubborn)
    impatient.execute_hook("entry.after_create", "customer", None, None)
    assert len(attempts) == 1
    assert impatient.statistics(record).timeouts == 1


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


@pytest.mark.parametrize("where", ["main", "threads"])
def test_a_handler_that_ends_just_in_time_takes_nobody_with_it(where: str) -> None:
    budget = 0.02
    hooks = HookManager(timeout_seconds=budget)

    def end_around_the_deadline(entity_name: str, seconds: float, entry: Any) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            pass

    hooks.register_hook("entry.after_create", end_around_the_deadline)
    between = hooks.register_hook("entry.after_create", lambda *_args: None)
    hooks.register_hook("entry.after_create", end_around_the_deadline)

    def run() -> None:
        for step in range(25):
            hooks.execute_hook("entry.after_create", "customer", budget * (0.8 + step / 20), None)

    if where == "main":
        run()
    else:
        for _ in range(2):
            in_thread(run)
    hooks.close()
    assert hooks.statistics(between).failures == 0


@pytest.mark.django_db
def test_a_cut_inside_the_database_layer_leaves_the_connection_in_order(impatient: HookManager) -> None:
    def write_for_ever(*_args: Any) -> None:
        number = 0
        while True:
            with transaction.atomic(), transaction.atomic(savepoint=False):
                Group.objects.create(name=f"written {number}")
                number += 1

    record = impatient.register_hook("entry.after_create", write_for_ever)
    for attempt in range(6):
        with transaction.atomic():
            before = (list(connection.savepoint_ids), list(connection.atomic_blocks))
            impatient.execute_hook("entry.after_create", "customer", None, None)
            assert (connection.savepoint_ids, connection.atomic_blocks) == before
            Group.objects.create(name=f"host {attempt}")
    assert impatient.statistics(record).timeouts == 6
    assert set(Group.objects.values_list("name", flat=True)) == {f"host {n}" for n in range(6)}


COUNT_FOR_EVER = """
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) SELECT count(*) FROM numbers
"""
SHOW_FOR_EVER = COUNT_FOR_EVER.replace("count(*)", "n")


def query(sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


@pytest.mark.django_db
@pytest.mark.parametrize("sql", [COUNT_FOR_EVER, SHOW_FOR_EVER], ids=["executing", "fetching"])
def test_a_slow_query_is_stopped_and_the_hosts_transaction_goes_on(impatient: HookManager, sql: str) -> None:
    record = impatient.register_hook("entry.after_create", lambda *_args: query(sql))
    Group.objects.create(name="before")
    impatient.execute_hook("entry.after_create", "customer", None, None)
    Group.objects.create(name="after")
    assert impatient.statistics(record).timeouts == 1
    assert sys.exception() is None
    assert set(Group.objects.values_list("name", flat=True)) == {"before", "after"}


@pytest.mark.django_db
def test_a_slow_query_whose_error_is_swallowed_is_no_way_out(impatient: HookManager, calls: Calls) -> None:
    def ask_again(*_args: Any) -> None:
        while True:
            with suppress(Exception):
                query(SHOW_FOR_EVER)

    record = impatient.register_hook("entry.after_create", ask_again)
    impatient.register_hook("entry.after_create", calls.handler("later"))
    impatient.execute_hook("entry.after_create", "customer", None, None)
    assert calls.names == ["later"]
    assert impatient.statistics(record).timeouts == 1


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


def test_other_code_has_a_budget_of_its_own_around_those_of_handlers(
    impatient: HookManager, calls: Calls
) -> None:
    record = impatient.register_hook("entry.after_create", spin)

    def view() -> str:
        impatient.execute_hook("entry.after_create", "customer", None, None)
        calls.names.append("went on")
        spin()
        return "never"

    with pytest.raises(TimeBudgetExceeded, match=r"its time budget of 0\.5 s"):
        impatient.budget.run_within(0.5, "p", view)
    assert calls.names == ["went on"]
    assert impatient.statistics(record).timeouts == 1
    assert impatient.budget.running() is None
    assert impatient.budget.run_within(0.5, "p", lambda: "done") == "done"

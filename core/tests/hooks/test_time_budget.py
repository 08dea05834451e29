"""Handlers that run too long are cut off, wherever they hang, and nobody else is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from structlog.testing import capture_logs

from pagoda.budget import TimeBudgetExceeded
from pagoda.hooks.manager import HookManager

from .conftest import BUDGET_SECONDS, Calls
from .hanging import CUT_OFF, SPINNING, WAITING, in_thread, spin


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
    assert impatient.budget.local.frame.running is None


def test_an_inner_handler_that_hangs_uses_up_the_outer_budget(impatient: HookManager, calls: Calls) -> None:
    def outer(*_args: Any) -> None:
        impatient.execute_hook("entity.after_create", None, None)

    record = impatient.register_hook("entry.after_create", outer)
    impatient.register_hook("entity.after_create", spin)
    impatient.register_hook("entry.after_create", calls.handler("later"))
    impatient.execute_hook("entry.after_create", "customer", None, None)
    assert calls.names == ["later"]
    assert impatient.statistics(record).timeouts <= 1
    assert impatient.budget.local.frame.running is None


def test_many_short_calls_are_not_one_long_one(impatient: HookManager) -> None:
    record = impatient.register_hook("entry.after_create", lambda *_args: None)
    until = time.monotonic() + 5 * BUDGET_SECONDS
    while time.monotonic() < until:
        impatient.execute_hook("entry.after_create", "customer", None, None)
    assert impatient.statistics(record).failures == 0


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
    assert impatient.budget.local.frame.running is None
    assert impatient.budget.run_within(0.5, "p", lambda: "done") == "done"

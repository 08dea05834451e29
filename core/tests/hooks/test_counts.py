"""Calls are counted exactly, and some of them are timed."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from pagoda.hooks import dispatch
from pagoda.hooks.manager import HookManager

from .conftest import Calls


def run(hooks: HookManager, times: int, entity_name: str = "customer") -> None:
    for _ in range(times):
        hooks.execute_hook("entry.after_create", entity_name, None, None)


@pytest.mark.parametrize("times", [0, 1, 2, 63, 64, 5000])
def test_every_call_is_counted(hooks: HookManager, calls: Calls, times: int) -> None:
    record = hooks.register_hook("entry.after_create", calls.handler("h"))
    run(hooks, times)
    assert hooks.statistics(record).calls == len(calls.names) == times


def test_calls_add_up_over_entities_registrations_and_context(hooks: HookManager, calls: Calls) -> None:
    record = hooks.register_hook("entry.after_create", calls.handler("all"))
    hooks.register_hook("entry.after_create", calls.handler("own"), entity="product")
    run(hooks, 3)
    run(hooks, 4, "product")
    hooks.register_hook("entry.after_create", calls.handler("late"))
    run(hooks, 5, "house")
    hooks.execute_hook("entry.after_create", "customer", None, None, source="import")
    assert hooks.statistics(record).calls == calls.names.count("all") == 13


def test_some_calls_are_timed_and_the_first_is_among_them(hooks: HookManager, calls: Calls) -> None:
    record = hooks.register_hook("entry.after_create", calls.handler("h"))
    assert hooks.statistics(record).mean_seconds is None
    run(hooks, 1)
    assert hooks.statistics(record).timed_calls == 1
    run(hooks, 5000)
    figures = hooks.statistics(record)
    assert 1 < figures.timed_calls < 5000
    assert figures.mean_seconds is not None
    assert figures.mean_seconds > 0


def test_of_some_dispatches_all_calls_are_timed(hooks: HookManager, calls: Calls) -> None:
    records = [hooks.register_hook("entry.after_create", calls.handler(name)) for name in "ab"]
    run(hooks, 10 * (dispatch.TIMED + 1))
    assert [hooks.statistics(record).timed_calls for record in records] == [10, 10]


def test_dispatches_are_counted_exactly_in_threads(hooks: HookManager) -> None:
    record = hooks.register_hook("entry.after_create", lambda *_args: None)
    threads = [threading.Thread(target=run, args=(hooks, 2000)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert hooks.statistics(record).calls == 16000


def test_an_unregistered_handler_has_no_statistics(hooks: HookManager) -> None:
    record = hooks.register_hook("entry.after_create", lambda *_args: None, plugin_id="p")
    hooks.unregister_plugin("p")
    with pytest.raises(KeyError):
        hooks.statistics(record)


def test_nested_calls_are_counted(hooks: HookManager, calls: Calls) -> None:
    def nest(*_args: Any) -> None:
        hooks.execute_hook("entity.after_create", None, None)

    outer = hooks.register_hook("entry.after_create", nest)
    inner = hooks.register_hook("entity.after_create", calls.handler("inner"))
    run(hooks, 100)
    assert hooks.statistics(outer).calls == hooks.statistics(inner).calls == len(calls.names) == 100

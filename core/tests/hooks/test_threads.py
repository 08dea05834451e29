"""Dispatch from many threads at once, while handlers come and go."""

from __future__ import annotations

import gc
import threading
from typing import Any

from pagoda.hooks.manager import HookManager

from .conftest import Calls

THREADS = 6
TIMES = 300


def in_threads(function: Any) -> None:
    threads = [threading.Thread(target=function) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_do_not_see_each_others_handlers_as_nested(hooks: HookManager) -> None:
    depths: set[int] = set()
    barrier = threading.Barrier(THREADS)

    def meet(*_args: Any) -> None:
        barrier.wait()
        depths.add(hooks.budget.local.frame.depth)

    hooks.register_hook("entry.after_create", meet)
    in_threads(lambda: hooks.execute_hook("entry.after_create", "customer", None, None))
    assert depths == {1}


def test_data_of_concurrent_chains_stays_apart(hooks: HookManager) -> None:
    for letter in "abc":

        def add(entity_name: Any, user: Any, data: Any, letter: str = letter) -> Any:
            return {**data, letter: data["number"]}

        hooks.register_hook("entry.before_create", add)
    results: list[Any] = []

    def run() -> None:
        for number in range(TIMES):
            mine = threading.get_ident() + number
            result = hooks.execute_hook("entry.before_create", "customer", None, {"number": mine})
            results.append(result == {"number": mine, "a": mine, "b": mine, "c": mine})

    in_threads(run)
    assert len(results) == THREADS * TIMES
    assert all(results)


def test_registering_while_others_dispatch_loses_no_call(hooks: HookManager, calls: Calls) -> None:
    steady = hooks.register_hook("entry.after_create", calls.handler("steady"), plugin_id="steady")
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            hooks.register_hook("entry.after_create", lambda *_args: None, plugin_id="guest")
            hooks.unregister_plugin("guest")

    guest = threading.Thread(target=come_and_go)
    guest.start()

    def run() -> None:
        for _ in range(TIMES):
            hooks.execute_hook("entry.after_create", "customer", None, None)

    in_threads(run)
    stop.set()
    guest.join()
    assert calls.names == ["steady"] * (THREADS * TIMES)
    assert hooks.statistics(steady).failures == 0


def test_ended_threads_are_forgotten(hooks: HookManager) -> None:
    hooks.register_hook("entry.after_create", lambda *_args: None)
    in_threads(lambda: hooks.execute_hook("entry.after_create", "customer", None, None))
    gc.collect()
    assert len(hooks.budget._registry) == 0

"""Handlers behind the breaker: those out of service are left out, and validations may fail closed."""

from __future__ import annotations

from typing import Any

import pytest

from pagoda.fencing.breaker import CircuitBreaker
from pagoda.fencing.policy import Policy
from pagoda.fencing.testing import MemoryStore
from pagoda.hooks import breaking
from pagoda.hooks.manager import HookManager
from pagoda.hooks.rejections import RejectedByPlugin

from .conftest import Calls

VALIDATED: tuple[Any, ...] = (None, "customer", "n", [], None)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(hooks: HookManager, clock: Clock) -> CircuitBreaker:
    breaker = CircuitBreaker(MemoryStore(), Policy(consecutive_failures=3), clock)
    breaking.connect(hooks, breaker)
    return breaker


def fail(*_args: Any) -> None:
    raise RuntimeError("oops")


def test_after_failures_in_a_row_a_plugins_handlers_are_left_out(
    hooks: HookManager, breaker: CircuitBreaker, calls: Calls
) -> None:
    bad = hooks.register_hook("entry.after_create", fail, plugin_id="bad")
    other = hooks.register_hook("entry.after_delete", calls.handler("bad too"), plugin_id="bad")
    hooks.register_hook("entry.after_create", calls.handler("good"), plugin_id="good")
    for _ in range(5):
        hooks.execute_hook("entry.after_create", "customer", None, None)
    hooks.execute_hook("entry.after_delete", "customer", None, None)

    assert calls.names == ["good"] * 5
    figures = hooks.statistics(bad)
    assert (figures.calls, figures.failures, figures.skipped) == (3, 3, 2)
    assert hooks.statistics(other).skipped == 1
    [state] = breaker.states()
    assert (state.plugin, state.surface, state.state) == ("bad", "hook", "open")
    assert state.last_error == "RuntimeError: oops"


def test_handlers_that_all_fail_in_one_chain_each_count_for_themselves(
    hooks: HookManager, breaker: CircuitBreaker, calls: Calls
) -> None:
    for plugin in ("one", "two", "three"):
        hooks.register_hook("entry.after_create", fail, plugin_id=plugin)
    for _ in range(3):
        hooks.execute_hook("entry.after_create", "customer", None, None)
        breaker.flush()
    assert {state.plugin: state.state for state in breaker.states()} == dict.fromkeys(
        ("one", "two", "three"), "open"
    )


def test_a_success_in_between_ends_the_row(hooks: HookManager, breaker: CircuitBreaker) -> None:
    outcomes = iter([fail, fail, lambda *_: None, fail, fail])

    def take_turns(*args: Any) -> None:
        next(outcomes)(*args)

    hooks.register_hook("entry.after_create", take_turns, plugin_id="bad")
    for _ in range(5):
        hooks.execute_hook("entry.after_create", "customer", None, None)
    [state] = breaker.states()
    assert (state.state, state.calls, state.failures) == ("closed", 5, 4)


def test_data_passes_a_handler_that_is_left_out(hooks: HookManager, breaker: CircuitBreaker) -> None:
    hooks.register_hook("entry.before_create", lambda *_: {"name": "changed"}, plugin_id="bad")
    hooks.set_out_of_service(frozenset({"bad"}))
    assert hooks.execute_hook("entry.before_create", "customer", None, {"name": "n"}) == {"name": "n"}


def test_a_probe_that_succeeds_puts_them_back(
    hooks: HookManager, breaker: CircuitBreaker, clock: Clock, calls: Calls
) -> None:
    record = hooks.register_hook("entry.after_create", fail, plugin_id="bad")
    for _ in range(3):
        hooks.execute_hook("entry.after_create", "customer", None, None)
    hooks.unregister_plugin("bad")
    assert record not in hooks.records()
    hooks.register_hook("entry.after_create", calls.handler("mended"), plugin_id="bad")
    hooks.execute_hook("entry.after_create", "customer", None, None)
    assert calls.names == []
    clock.now += 31
    breaker.refresh()
    hooks.execute_hook("entry.after_create", "customer", None, None)
    breaker.flush()
    assert calls.names == ["mended"]
    assert breaker.states()[0].state == "closed"


def test_the_hosts_own_handlers_are_never_left_out(hooks: HookManager, breaker: CircuitBreaker) -> None:
    hooks.register_hook("entry.after_create", fail)
    for _ in range(5):
        hooks.execute_hook("entry.after_create", "customer", None, None)
    assert breaker.states() == []


class TestFailClosed:
    def test_a_validation_that_fails_refuses_the_write(self, hooks: HookManager) -> None:
        hooks.register_hook("entry.validate", fail, plugin_id="strict", fail_closed=True)
        with pytest.raises(RejectedByPlugin, match="'strict' can't check it at the moment"):
            hooks.execute_hook("entry.validate", *VALIDATED)

    def test_one_that_is_out_of_service_refuses_it_too(
        self, hooks: HookManager, breaker: CircuitBreaker
    ) -> None:
        hooks.register_hook("entry.validate", lambda *_: None, plugin_id="strict", fail_closed=True)
        hooks.set_out_of_service(frozenset({"strict"}))
        with pytest.raises(RejectedByPlugin, match="nothing is stored unchecked"):
            hooks.execute_hook("entry.validate", *VALIDATED)

    def test_without_it_the_write_goes_on(self, hooks: HookManager, breaker: CircuitBreaker) -> None:
        lax = hooks.register_hook("entry.validate", fail, plugin_id="lax")
        hooks.execute_hook("entry.validate", *VALIDATED)
        hooks.set_out_of_service(frozenset({"lax"}))
        hooks.execute_hook("entry.validate", *VALIDATED)
        figures = hooks.statistics(lax)
        assert (figures.failures, figures.skipped) == (1, 1)

    def test_it_is_for_validations_alone(self, hooks: HookManager) -> None:
        strict = hooks.register_hook("entry.after_create", fail, plugin_id="strict", fail_closed=True)
        hooks.execute_hook("entry.after_create", "customer", None, None)
        assert hooks.statistics(strict).failures == 1

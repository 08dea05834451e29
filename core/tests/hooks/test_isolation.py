"""A failing handler is contained, recorded and counted, and nobody else notices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentry_sdk
from celery.exceptions import SoftTimeLimitExceeded
from sentry_sdk.transport import Transport
from structlog.testing import capture_logs

from pagoda.fencing.breaker import CircuitBreaker
from pagoda.fencing.interrupts import OperatorInterrupt
from pagoda.fencing.policy import Policy
from pagoda.fencing.testing import MemoryStore
from pagoda.hooks import breaking
from pagoda.hooks.manager import HookManager
from pagoda_plugin_sdk.exceptions import JobTimeLimitExceeded
from pagoda_plugin_sdk.hooks import HOOK_SPECS

from .conftest import Calls


def fail(*_args: Any) -> None:
    raise RuntimeError("oops")


def leave(*_args: Any) -> None:
    raise SystemExit(1)


@pytest.mark.parametrize("bad", [fail, leave], ids=["raises", "exits"])
def test_the_others_run_in_order(
    hooks: HookManager, calls: Calls, dispatch: Callable[..., Any], bad: Callable[..., Any]
) -> None:
    for name in "ab":
        hooks.register_hook("entry.after_create", calls.handler(name))
        hooks.register_hook("entry.after_create", bad, plugin_id="bad")
    hooks.register_hook("entry.after_create", calls.handler("c"))
    dispatch(hooks)
    assert calls.names == ["a", "b", "c"]


def test_a_failure_is_logged_with_plugin_hook_entity_and_handler(
    hooks: HookManager, dispatch: Callable[..., Any]
) -> None:
    hooks.register_hook("entry.after_create", fail, plugin_id="inventory")
    with capture_logs() as logs:
        dispatch(hooks, "customer")
    assert len(logs) == 1
    error = logs[0].pop("exc_info")
    assert isinstance(error, RuntimeError)
    assert logs == [
        {
            "event": "hook_failed",
            "log_level": "error",
            "plugin": "inventory",
            "hook": "entry.after_create",
            "entity": "customer",
            "handler": "fail",
            "error": "RuntimeError: oops",
        }
    ]


@pytest.mark.parametrize("hook", HOOK_SPECS)
def test_a_failure_in_any_hook_is_contained(hooks: HookManager, calls: Calls, hook: str) -> None:
    record = hooks.register_hook(hook, fail)
    hooks.register_hook(hook, calls.handler("later"))
    hooks.execute_hook(hook, *[[] for _ in HOOK_SPECS[hook].arguments])
    assert calls.names == ["later"]
    assert hooks.statistics(record).failures == 1


@pytest.mark.parametrize("hook", HOOK_SPECS)
@pytest.mark.parametrize(
    "error",
    [asyncio.CancelledError(), GeneratorExit(), SystemExit(1), BaseExceptionGroup("g", [SystemExit()])],
    ids=lambda error: type(error).__name__,
)
def test_whatever_is_raised_in_any_hook_is_contained(
    hooks: HookManager, calls: Calls, hook: str, error: BaseException
) -> None:
    def handle(*_args: Any) -> None:
        raise error

    record = hooks.register_hook(hook, handle, deferred=HOOK_SPECS[hook].is_after)
    hooks.register_hook(hook, calls.handler("later"))
    hooks.execute_hook(hook, *[[] for _ in HOOK_SPECS[hook].arguments])
    assert calls.names == ["later"]
    assert hooks.statistics(record).failures == 1
    assert hooks.budget.local.frame.running is None


class Mute(Exception):
    def __str__(self) -> str:
        raise SystemExit(1)


@pytest.mark.parametrize("error", [RuntimeError("a\x00b\ud800\x1b[2J"), Mute()], ids=["unfit", "mute"])
def test_what_an_error_says_is_washed_wherever_it_goes(hooks: HookManager, error: Exception) -> None:
    def handle(*_args: Any) -> None:
        raise error

    hooks.register_hook("entry.after_create", handle, plugin_id="bad")
    breaker = CircuitBreaker(MemoryStore(), Policy())
    breaking.connect(hooks, breaker)
    with capture_logs() as logs:
        hooks.execute_hook("entry.after_create", "customer", None, None)
    for text in (logs[0]["error"], breaker.states()[0].last_error):
        assert text.isprintable()
        assert type(error).__name__ in text


@pytest.mark.parametrize(
    "interrupt", [OperatorInterrupt(), SoftTimeLimitExceeded(), JobTimeLimitExceeded("slow")], ids=repr
)
def test_what_the_host_interrupts_is_interrupted(
    hooks: HookManager, calls: Calls, dispatch: Callable[..., Any], interrupt: BaseException
) -> None:
    def interrupted(*_args: Any) -> None:
        raise interrupt

    record = hooks.register_hook("entry.after_create", interrupted)
    later = hooks.register_hook("entry.after_create", calls.handler("later"))
    with pytest.raises(type(interrupt)):
        dispatch(hooks)
    assert calls.names == []
    assert hooks.statistics(record).failures == 0
    assert hooks.budget.local.frame.running is None
    assert hooks.statistics(later).calls == hooks.statistics(record).calls - 1


def test_an_interrupt_that_a_handler_raises_is_its_own(
    hooks: HookManager, calls: Calls, dispatch: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Ctrl-C, as in each process that has started the plugins, raises another."""

    def interrupts(*_args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("signal.getsignal", lambda _signal: print)
    record = hooks.register_hook("entry.after_create", interrupts)
    hooks.register_hook("entry.after_create", calls.handler("later"))
    dispatch(hooks)
    assert calls.names == ["later"]
    assert hooks.statistics(record).failures == 1


class Recording(Transport):
    """Keeps the events that would be sent."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.events: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Any) -> None:
        self.events += [event for item in envelope.items if (event := item.get_event()) is not None]


@pytest.fixture
def sentry() -> Iterator[Recording]:
    transport = Recording()
    with sentry_sdk.isolation_scope() as scope:
        client = sentry_sdk.Client(dsn="http://key@localhost/1", transport=transport)
        scope.set_client(client)
        yield transport
        client.close()


def test_a_failure_is_one_event_with_plugin_hook_and_entity(
    hooks: HookManager, sentry: Recording, calls: Calls, dispatch: Callable[..., Any]
) -> None:
    hooks.register_hook("entry.after_create", fail, plugin_id="inventory")
    hooks.register_hook("entry.after_create", calls.handler("good"), plugin_id="good")
    dispatch(hooks, "customer")
    assert len(sentry.events) == 1
    event = sentry.events[0]
    assert event["tags"] == {
        "plugin": "inventory",
        "surface": "hook",
        "hook": "entry.after_create",
        "entity": "customer",
    }
    assert event["fingerprint"] == ["inventory", "hook", "entry.after_create", "RuntimeError"]
    assert [value["type"] for value in event["exception"]["values"]] == ["RuntimeError"]


def test_a_refusal_is_no_event(hooks: HookManager, sentry: Recording) -> None:
    def refuse(*_args: Any) -> None:
        raise ValueError("no")

    hooks.register_hook("entry.validate", refuse)
    with pytest.raises(Exception, match="refused"):
        hooks.execute_hook("entry.validate", None, "customer", "n", [], None)
    assert sentry.events == []

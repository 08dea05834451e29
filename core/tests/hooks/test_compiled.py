"""The code that is written for a chain of handlers."""

from __future__ import annotations

import textwrap
import traceback
from typing import Any

import pytest

from pagoda.hooks import compiled
from pagoda.hooks.cutting import is_ours
from pagoda.hooks.manager import HookManager
from pagoda_plugin_sdk.hooks import HOOK_SPECS, HookKind

from .conftest import Calls


def test_the_documented_example_is_what_is_compiled() -> None:
    assert compiled.__doc__ is not None
    example = compiled.__doc__.split("::\n\n")[1].split("\n\n")[0]
    assert textwrap.dedent(example) + "\n" == compiled._source("entity_name, user, entry", 2)


@pytest.mark.parametrize("count", [1, 2, 3, 50, 500])
def test_any_number_of_handlers_is_called_in_order(hooks: HookManager, calls: Calls, count: int) -> None:
    numbers = [str(number) for number in range(count)]
    for number in numbers:
        hooks.register_hook("entry.after_create", calls.handler(number))
    for _ in range(3):
        hooks.execute_hook("entry.after_create", "customer", 1, 2)
    run = hooks.dispatcher("entry.after_create").resolve("customer")
    for _ in range(5):
        run("customer", 1, 2)
    assert calls.names == numbers * 8
    assert set(calls.arguments) == {("customer", 1, 2)}


@pytest.mark.parametrize("hook", [n for n, spec in HOOK_SPECS.items() if spec.kind is HookKind.NOTIFY])
def test_every_notification_is_compiled_as_our_own_code(hooks: HookManager, calls: Calls, hook: str) -> None:
    hooks.register_hook(hook, calls.handler("h"))
    run = hooks.dispatcher(hook).resolve("customer")
    assert run.__code__.co_varnames[: run.__code__.co_argcount] == HOOK_SPECS[hook].arguments
    assert is_ours(run.__code__)


def test_tracebacks_show_compiled_lines(hooks: HookManager) -> None:
    shown: list[str] = []

    def show(entity_name: Any, user: Any, entry: Any) -> None:
        shown.append("".join(traceback.format_stack()))

    hooks.register_hook("entry.after_create", show)
    run = hooks.dispatcher("entry.after_create").resolve("customer")
    for _ in range(10):
        run("customer", None, None)
    assert any("try: handler_1(entity_name, user, entry)" in stack for stack in shown)

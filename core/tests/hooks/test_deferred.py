"""Handlers that are handed over instead of being run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pagoda.hooks.manager import HookManager, HooksNotStarted, install, manager
from pagoda_plugin_sdk.hooks import HOOK_SPECS

from .conftest import Calls


def test_a_deferred_handler_goes_to_the_deferrer_in_its_place(
    hooks: HookManager, calls: Calls, dispatch: Callable[..., Any]
) -> None:
    handed: list[Any] = []
    hooks.set_deferrer(lambda record, spec, args: handed.append((record, spec, args)))
    record = hooks.register_hook("entry.after_create", calls.handler("deferred"), deferred=True)
    hooks.register_hook("entry.after_create", calls.handler("at once"))
    dispatch(hooks, "customer", "u", "e")
    assert calls.names == ["at once"]
    assert handed == [(record, HOOK_SPECS["entry.after_create"], ("customer", "u", "e"))]


def test_without_a_deferrer_it_is_run_at_once(
    hooks: HookManager, calls: Calls, dispatch: Callable[..., Any]
) -> None:
    hooks.register_hook("entry.after_create", calls.handler("deferred"), deferred=True)
    dispatch(hooks)
    assert calls.names == ["deferred"]


def test_a_failing_deferrer_is_contained(
    hooks: HookManager, calls: Calls, dispatch: Callable[..., Any]
) -> None:
    def fail(*_args: Any) -> None:
        raise RuntimeError("no database")

    hooks.set_deferrer(fail)
    record = hooks.register_hook("entry.after_create", calls.handler("deferred"), deferred=True)
    hooks.register_hook("entry.after_create", calls.handler("at once"))
    dispatch(hooks)
    assert calls.names == ["at once"]
    assert hooks.statistics(record).failures == 1


def test_the_processs_manager_takes_a_deferrer(bridged: HookManager, calls: Calls) -> None:
    bridged.register_hook("entity.after_delete", calls.handler("deferred"), deferred=True)
    handed: list[str] = []
    manager().set_deferrer(lambda record, _spec, _args: handed.append(record.hook))
    manager().execute_hook("entity.after_delete", None, None)
    manager().set_deferrer(None)
    manager().execute_hook("entity.after_delete", None, None)
    assert handed == ["entity.after_delete"]
    assert calls.names == ["deferred"]


def test_asking_too_early_says_what_is_missing() -> None:
    replaced = install(None)
    try:
        with pytest.raises(HooksNotStarted) as raised:
            manager()
    finally:
        install(replaced)
    assert "call django.setup() with 'pagoda.hooks' in INSTALLED_APPS first" in str(raised.value)

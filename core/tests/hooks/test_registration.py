"""What may become a handler, and what is said about what may not."""

from __future__ import annotations

from typing import Any

import pytest

from pagoda.hooks.manager import HookManager
from pagoda_plugin_sdk.exceptions import PluginValidationError, UnknownHook
from pagoda_plugin_sdk.hooks import HOOK_ALIASES, HOOK_SPECS

from .conftest import Calls


def takes_any(*args: Any, **kwargs: Any) -> None:
    """Take every hook's arguments."""


def takes_two(user: Any, entry: Any) -> None:
    """Take one argument too few."""


def needs_context(entity_name: Any, user: Any, entry: Any, *, request_id: str) -> None:
    """Ask for a keyword that nobody promises."""


async def is_async(entity_name: Any, user: Any, entry: Any) -> None:
    """Be of the kind that hooks are not."""


@pytest.mark.parametrize(
    ("hook_name", "handler", "options", "error", "message"),
    [
        pytest.param(
            "entry.after_creat",
            takes_any,
            {},
            UnknownHook,
            "Unknown hook 'entry.after_creat'. Did you mean 'entry.after_create'",
            id="unknown-hook",
        ),
        pytest.param("entry.after_create", takes_two, {}, PluginValidationError, "can't take", id="too-few"),
        pytest.param(
            "entry.after_create",
            needs_context,
            {},
            PluginValidationError,
            "'request_id'",
            id="required-keyword",
        ),
        pytest.param("entry.after_create", is_async, {}, PluginValidationError, "coroutine", id="coroutine"),
        pytest.param(
            "entry.after_create",
            "print",
            {},
            PluginValidationError,
            "'entry.after_create': handler is 'print', expected a function or a bound method.",
            id="no-function",
        ),
        pytest.param(
            "entry.after_create",
            takes_any,
            {"priority": "high"},
            PluginValidationError,
            "Handler of hook 'entry.after_create': priority is 'high', expected int.",
            id="priority-text",
        ),
        pytest.param(
            "entry.after_create",
            takes_any,
            {"priority": True},
            PluginValidationError,
            "priority is True, expected int.",
            id="priority-bool",
        ),
        pytest.param(
            "entry.after_create",
            takes_any,
            {"entity": 7},
            PluginValidationError,
            "entity is 7, expected str.",
            id="entity-number",
        ),
        pytest.param(
            "entry.validate",
            takes_any,
            {"deferred": True},
            PluginValidationError,
            "'entry.validate': deferred=True is given, but its result is needed before the write",
            id="deferred-validation",
        ),
    ],
)
def test_wrong_handler_is_refused(
    hooks: HookManager,
    hook_name: str,
    handler: Any,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error) as raised:
        hooks.register_hook(hook_name, handler, **options)
    assert message in str(raised.value)
    assert hooks.records() == ()


@pytest.mark.parametrize("seconds", [0, -1])
def test_time_budget_must_be_positive(seconds: float) -> None:
    with pytest.raises(ValueError) as raised:
        HookManager(timeout_seconds=seconds)
    assert str(raised.value) == f"timeout_seconds is {seconds}, expected more than 0"


@pytest.mark.parametrize(("alias", "hook"), HOOK_ALIASES.items(), ids=HOOK_ALIASES)
def test_alias_reaches_its_hook_everywhere(hooks: HookManager, calls: Calls, alias: str, hook: str) -> None:
    spec = HOOK_SPECS[hook]
    arguments: dict[str, Any] = {name: {} for name in spec.arguments}
    hooks.register_hook(alias, calls.handler("by alias"), plugin_id="p")
    hooks.register_hook(hook, calls.handler("by name"), plugin_id="p")
    hooks.execute_hook(alias, **arguments)
    hooks.execute_hook(hook, **arguments)
    assert calls.names == ["by alias", "by name"] * 2
    assert hooks.handlers(alias) == hooks.handlers(hook) == tuple(hooks._hooks[hook])
    assert [e.place for e in hooks.explain(alias)] == [1, 2]


@pytest.mark.parametrize("hook", HOOK_SPECS)
def test_every_hook_passes_the_arguments_of_its_spec(hooks: HookManager, calls: Calls, hook: str) -> None:
    arguments: list[Any] = [{"given": name} for name in HOOK_SPECS[hook].arguments]
    hooks.register_hook(hook, calls.handler("h"))
    hooks.execute_hook(hook, *arguments)
    assert calls.arguments == [tuple(arguments)]


def test_unregistering_takes_out_one_plugins_handlers_alone(hooks: HookManager, calls: Calls) -> None:
    for plugin, hook in [
        ("a", "entry.after_create"),
        ("b", "entry.after_create"),
        ("a", "entity.after_create"),
    ]:
        hooks.register_hook(hook, calls.handler(f"{plugin} {hook}"), plugin_id=plugin)
    hooks.execute_hook("entry.after_create", "customer", None, None)
    assert hooks.unregister_plugin("a") == 2
    hooks.execute_hook("entry.after_create", "customer", None, None)
    hooks.execute_hook("entity.after_create", None, None)
    assert calls.names == ["a entry.after_create", "b entry.after_create", "b entry.after_create"]
    assert hooks.unregister_plugin("a") == 0


def test_handlers_come_while_others_run(hooks: HookManager, calls: Calls) -> None:
    for name in ("customer", "product"):
        hooks.execute_hook("entry.after_create", name, None, None)
    hooks.register_hook("entry.after_create", calls.handler("for all"))
    hooks.execute_hook("entry.after_create", "customer", None, None)
    hooks.register_hook("entry.after_create", calls.handler("for customers"), entity="customer")
    for name in ("customer", "product"):
        hooks.execute_hook("entry.after_create", name, None, None)
    assert calls.names == ["for all", "for all", "for customers", "for all"]


def test_a_handler_is_found_by_its_key(hooks: HookManager) -> None:
    record = hooks.register_hook("entry.after_create", takes_any, plugin_id="p")
    assert record.key == "p:entry.after_create:takes_any"
    assert hooks.find(record.key) is record
    assert hooks.find("p:entry.after_create:other") is None


def test_handlers_of_one_factory_have_keys_of_their_own(hooks: HookManager) -> None:
    def made() -> Any:
        return lambda entity_name, user, entry: None

    records = [
        hooks.register_hook("entry.after_create", made(), plugin_id="p", priority=priority, deferred=True)
        for priority in (200, 100, 150)
    ]
    assert len({record.key for record in records}) == 3
    assert [hooks.find(record.key) for record in records] == records

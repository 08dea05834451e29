"""A plugin made of handlers, for tests of what requests do with hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pagoda_plugin_sdk.decorators import entity_hook, entry_hook, get_attrs_hook, validation_hook
from pagoda_plugin_sdk.plugin import Plugin

type Handler = Callable[..., Any]


def decorator(hook: str) -> Any:
    subject: Any
    subject, event = hook.split(".")
    if event == "validate":
        return validation_hook()
    if event == "get_attrs":
        return get_attrs_hook(subject)
    of_subject: Any = {"entry": entry_hook, "entity": entity_hook}[subject]
    return of_subject(event)


def plugin_with(handlers: dict[str, Handler], plugin_id: str = "recorder") -> Plugin:
    """Return a plugin whose method for each hook calls the handler with the hook's arguments."""

    def method(handler: Handler) -> Handler:
        return lambda self, *args: handler(*args)

    methods = {hook.replace(".", "_"): decorator(hook)(method(each)) for hook, each in handlers.items()}
    kind = type("TestPlugin", (Plugin,), {"id": plugin_id, "name": plugin_id, **methods})
    plugin: Plugin = kind()
    return plugin


def raising(error: Exception) -> Handler:
    """Return a handler that raises."""

    def handler(*args: Any) -> None:
        raise error

    return handler

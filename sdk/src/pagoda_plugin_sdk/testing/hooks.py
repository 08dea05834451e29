"""Call the hook handlers of a plugin in a test, in the order and way of the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pagoda_plugin_sdk.hooks import HOOK_SPECS, HookKind, check_signature, entity_name_of, resolve_hook_name
from pagoda_plugin_sdk.plugin import Plugin


def handlers_of(plugin: Plugin, hook_name: str, entity_name: str | None = None) -> list[Callable[..., Any]]:
    """Return the bound handlers that run for a hook (or its alias) on an entity, in order.

    Without `entity_name` those that handle all entities.

    Raises:
        UnknownHook: there is no such hook.
        PluginValidationError: a handler can't take the hook's arguments.
    """
    return handlers_of_all((plugin,), hook_name, entity_name)


def handlers_of_all(
    plugins: Sequence[Plugin], hook_name: str, entity_name: str | None = None
) -> list[Callable[..., Any]]:
    """Return the handlers of several plugins as `handlers_of` does, in the host's order."""
    canonical = resolve_hook_name(hook_name)
    matching = [
        (declared["priority"], getattr(plugin, declared["method_name"]))
        for plugin in plugins
        for declared in plugin._hook_handlers
        if declared["hook_name"] == canonical and declared["entity"] in (None, entity_name)
    ]
    # Stable: by plugin and then by definition within one priority
    handlers = [handler for _, handler in sorted(matching, key=lambda each: each[0])]
    for handler in handlers:
        check_signature(HOOK_SPECS[canonical], handler)
    return handlers


def run_hook(plugin: Plugin, hook_name: str, *arguments: Any, entity_name: str | None = None) -> Any:
    """Call the handlers of a hook with its positional `arguments` and return what the host would go on with.

    That is the data of a transform and the attributes of a filter, each handler seeing what the one before
    returned, and None for the others. What a handler raises is raised: nothing is contained here.
    """
    return run_hook_of_all((plugin,), hook_name, *arguments, entity_name=entity_name)


def run_hook_of_all(
    plugins: Sequence[Plugin], hook_name: str, *arguments: Any, entity_name: str | None = None
) -> Any:
    """Call the handlers of several plugins as `run_hook` does."""
    spec = HOOK_SPECS[resolve_hook_name(hook_name)]
    position = _result_position(spec.name)
    values = list(arguments)
    entity_name = entity_name_of(spec, arguments) if entity_name is None else entity_name
    for handler in handlers_of_all(plugins, hook_name, entity_name):
        result = handler(*values)
        if position is not None and result is not None:
            values[position] = result
    return None if position is None else values[position]


def _result_position(hook_name: str) -> int | None:
    """Return which argument the handlers' results replace."""
    spec = HOOK_SPECS[hook_name]
    if spec.kind is HookKind.TRANSFORM:
        return spec.arguments.index("validated_data")
    if spec.kind is HookKind.FILTER:
        return spec.arguments.index("attrinfo")
    return None

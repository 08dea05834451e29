"""Check what is to become a handler and make its record."""

from __future__ import annotations

from typing import Any

from pagoda.hooks.records import Handler, HandlerRecord
from pagoda_plugin_sdk.exceptions import PluginValidationError
from pagoda_plugin_sdk.hooks import HOOK_SPECS, HookKind, check_signature, resolve_hook_name


def checked_record(
    hook_name: str,
    handler: Handler,
    *,
    plugin_id: str,
    entity: str | None,
    priority: int,
    plugin_order: int,
    position: int,
    deferred: bool,
    fail_closed: bool = False,
) -> HandlerRecord:
    """Return the record of a handler.

    Raises:
        UnknownHook: `hook_name` is neither a hook nor an alias.
        PluginValidationError: the handler can't take the hook's arguments, or a value is not what the hook
            allows.
    """
    spec = HOOK_SPECS[resolve_hook_name(hook_name)]
    if not callable(handler):
        raise _wrong(spec.name, f"handler is {handler!r}, expected a function or a bound method")
    check_signature(spec, handler)
    _check_type(spec.name, "priority", priority, int)
    _check_type(spec.name, "plugin_order", plugin_order, int)
    if entity is not None:
        _check_type(spec.name, "entity", entity, str)
    if deferred and not spec.is_after:
        raise _wrong(
            spec.name,
            "deferred=True is given, but its result is needed before the write; only after-hooks defer",
        )
    return HandlerRecord(
        hook=spec.name,
        plugin_id=plugin_id,
        entity=entity,
        priority=priority,
        plugin_order=plugin_order,
        position=position,
        deferred=deferred,
        fail_closed=fail_closed and spec.kind is HookKind.VETO,
        handler=handler,
    )


def _check_type(hook: str, name: str, value: Any, expected: type) -> None:
    """Any: the value is what is being checked."""
    if not isinstance(value, expected) or isinstance(value, bool):
        raise _wrong(hook, f"{name} is {value!r}, expected {expected.__name__}")


def _wrong(hook: str, fault: str) -> PluginValidationError:
    return PluginValidationError(f"Handler of hook {hook!r}: {fault}.")

"""Describe plugins as plain JSON values, for the API and the command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pagoda.fencing import BreakerState, breaker_states
from pagoda.hooks.manager import HookManager
from pagoda.plugins.records import PluginRecord
from pagoda.plugins.registry import PluginRegistry
from pagoda_plugin_sdk.exceptions import PluginValidationError
from pagoda_plugin_sdk.hooks import HOOK_SPECS
from pagoda_plugin_sdk.task_registry import TaskRegistry

Description = dict[str, Any]
"""JSON values; the keys are those in `describe`."""


def describe_all(registry: PluginRegistry) -> list[Description]:
    """Return the description of each enabled plugin, in load order."""
    breakers = breaker_states()
    return [_described(registry, record, breakers) for record in registry.records]


def describe(registry: PluginRegistry, record: PluginRecord) -> Description:
    """Return what there is to know of a plugin; `hooks` are in execution order."""
    return _described(registry, record, breaker_states())


def _described(registry: PluginRegistry, record: PluginRecord, breakers: list[BreakerState]) -> Description:
    declared = record.declared
    return {
        "id": record.id,
        "name": declared.name if declared else record.id,
        "version": record.version,
        "description": declared.description if declared else "",
        "author": declared.author if declared else "",
        "entry_point": record.entry_point_name,
        "aliases": [name for name in record.names if name != record.id],
        "distribution": record.distribution,
        "dependencies": list(declared.dependencies) if declared else [],
        "django_apps": list(declared.django_apps) if declared else [],
        "status": record.status.value,
        "reason_code": record.reason_code.value if record.reason_code else None,
        "reason": record.reason or None,
        "faults": [{"code": str(fault.code), "text": fault.text} for fault in record.faults],
        "urls": {
            "api_v2": declared.api_v2_patterns if declared else None,
            "plain": declared.url_patterns if declared else None,
        },
        "breakers": [_breaker(state) for state in breakers if state.plugin == record.id],
        "queue": f"plugin.{record.id}",
        "hooks": list(_hooks(registry.host.hooks, record.id)) if record.is_active else [],
        "tasks": list(_tasks(registry.host.tasks, record.id)) if record.is_active else [],
    }


def explain_hook(registry: PluginRegistry, hook_name: str, entity_name: str | None) -> list[Description]:
    """Return each handler of a hook in execution order with why it runs for this entity, or why not.

    `place` counts those that run from 1. Plugins out of service follow: what they would handle is not known.

    Raises:
        UnknownHook: there is no such hook; the closest names are given.
    """
    handlers = [
        {
            "place": explanation.place,
            "plugin": explanation.record.plugin_id,
            "handler": explanation.record.name,
            "reason": explanation.reason,
        }
        for explanation in registry.host.hooks.explain(hook_name, entity_name)
    ]
    return handlers + [
        {
            "place": None,
            "plugin": record.id,
            "handler": None,
            "reason": f"the plugin is {record.status.value}: {record.reason_code or 'not started'}",
        }
        for record in registry.records
        if not record.is_active
    ]


def _breaker(state: BreakerState) -> Description:
    return {
        "surface": state.surface,
        "state": state.state,
        "since": state.since.isoformat(),
        "calls": state.calls,
        "failures": state.failures,
        "last_error": state.last_error or None,
        "retry_at": state.retry_at.isoformat() if state.retry_at else None,
        "dry_run": state.dry_run,
    }


def _hooks(hooks: HookManager, plugin_id: str) -> Iterator[Description]:
    """Yield a plugin's handlers hook by hook; `position` counts the handlers of all plugins from 1."""
    for hook_name in HOOK_SPECS:
        in_order = [handler for handler in hooks.records() if handler.hook == hook_name]
        for position, handler in enumerate(in_order, start=1):
            if handler.plugin_id == plugin_id:
                yield {
                    "hook": hook_name,
                    "handler": handler.name,
                    "entity": handler.entity,
                    "priority": handler.priority,
                    "deferred": handler.deferred,
                    "position": position,
                }


def _tasks(tasks: TaskRegistry, plugin_id: str) -> Iterator[Description]:
    """Yield a plugin's tasks; `operation_id` is None until operation ids are validated."""
    config = tasks.get_all_configs().get(plugin_id)
    if config is None:
        return
    for name, (offset, function_name) in config.tasks.items():
        yield {
            "name": name,
            "operation_id": _operation_id(tasks, plugin_id, name),
            "offset": int(offset),
            "function": f"{config.module_path}.{function_name}",
            "queue": f"plugin.{plugin_id}",
            "is_hidden": name in config.hidden_operations,
            "is_cancelable": name in config.cancelable_operations,
            "is_parallelizable": name in config.parallelizable_operations,
            "is_downloadable": name in config.downloadable_operations,
            "is_shared": name in config.shared_operations,
        }


def _operation_id(tasks: TaskRegistry, plugin_id: str, name: str) -> int | None:
    try:
        return tasks.get_operation_id(plugin_id, name)
    except PluginValidationError:
        return None

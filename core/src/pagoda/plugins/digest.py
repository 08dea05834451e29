"""The registry digest: one value that says whether two processes run the same plugins."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pagoda.hooks.manager import HookManager
from pagoda.plugins.records import PluginRecord
from pagoda_plugin_sdk.task_registry import TaskRegistry

OperationRanges = Mapping[str, Any]
"""The setting PLUGIN_OPERATION_ID_CONFIG, not checked: ``{plugin: [first id, last id]}``."""


def registry_digest(lines: Iterable[str]) -> str:
    """Return the SHA-256 of the lines, whatever their order, as 64 hexadecimal digits."""
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def digest_lines(
    sdk_version: str,
    records: Iterable[PluginRecord],
    tasks: TaskRegistry,
    ranges: OperationRanges,
    hooks: HookManager,
) -> Iterator[str]:
    """Yield what is in the digest: SDK, active plugins with versions, operation ids, hook handlers."""
    yield f"sdk {sdk_version}"
    for record in records:
        if record.is_active:
            yield f"plugin {record.id} {record.version} {record.distribution_version}"
    yield from _operations(tasks, ranges)
    yield from _handlers(hooks)


def _operations(tasks: TaskRegistry, ranges: OperationRanges) -> Iterator[str]:
    """Yield the operation ids as `TaskRegistry.validate_all` gives them, also before it has run."""
    starts = {tasks.canonical(name): value[0] for name, value in ranges.items() if _is_range(value)}
    for plugin_id, config in tasks.get_all_configs().items():
        for name, (offset, _) in config.tasks.items():
            number = starts[plugin_id] + int(offset) if plugin_id in starts else "none"
            yield f"operation {plugin_id} {name} {number}"


def _is_range(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[0], int)


def _handlers(hooks: HookManager) -> Iterator[str]:
    for handler in hooks.records():
        entity, priority = handler.entity or "*", handler.priority
        timing = "deferred" if handler.deferred else "direct"
        yield f"hook {handler.hook} {entity} {priority} {handler.plugin_id} {handler.name} {timing}"

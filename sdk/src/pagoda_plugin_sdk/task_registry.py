"""The registry of plugin tasks: it gives each its operation id and refuses a wrong configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from pagoda_plugin_sdk.exceptions import PluginValidationError, near_misses
from pagoda_plugin_sdk.operation_ranges import Range, range_faults
from pagoda_plugin_sdk.task_config import PluginTaskConfig

Ranges = Mapping[str, Sequence[int]]
"""``{plugin name: (first id, last id)}``, as in the setting PLUGIN_OPERATION_ID_CONFIG."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A plugin task with its stable number."""

    plugin_id: str
    name: str
    number: int
    offset: int
    module_path: str
    function_name: str
    is_hidden: bool
    is_cancelable: bool
    is_parallelizable: bool
    is_downloadable: bool
    is_shared: bool

    @property
    def queue(self) -> str:
        """Return the name of the queue that its jobs go to."""
        return f"plugin.{self.plugin_id}"


class TaskRegistry:
    """Holds the task declarations of plugins and, once validated, their operations."""

    def __init__(self) -> None:
        self._configs: dict[str, PluginTaskConfig] = {}
        self._aliases: dict[str, str] = {}
        self._operations: dict[int, Operation] = {}
        self._numbers: dict[tuple[str, str], int] = {}

    def register(self, config: PluginTaskConfig) -> None:
        """Add a plugin's tasks. The same declaration twice is one.

        Raises:
            PluginValidationError: the plugin has declared other tasks already.
        """
        plugin_id = self.canonical(config.plugin_id)
        held = self._configs.get(plugin_id)
        if held is not None and held != config:
            raise PluginValidationError(
                f"Plugin {plugin_id!r} has registered its tasks already ({', '.join(held.tasks)}). "
                "Declare all tasks in one PluginTaskConfig."
            )
        self._configs[plugin_id] = config

    def unregister(self, plugin_id: str) -> None:
        """Forget a plugin's tasks and operations; unknown plugins are ignored."""
        plugin_id = self.canonical(plugin_id)
        config = self._configs.pop(plugin_id, None)
        if config is not None:
            self._aliases.pop(config.plugin_id, None)
        for number in [n for n, operation in self._operations.items() if operation.plugin_id == plugin_id]:
            operation = self._operations.pop(number)
            self._numbers.pop((plugin_id, operation.name))

    def alias(self, name: str, plugin_id: str) -> None:
        """Let `name`, an entry point's, stand for `plugin_id` wherever a plugin is named.

        Raises:
            PluginValidationError: different tasks were registered under both names.
        """
        self._aliases[name] = plugin_id
        if name != plugin_id and name in self._configs:
            self.register(self._configs.pop(name))

    def canonical(self, name: str) -> str:
        """Return the plugin id that `name` stands for."""
        return self._aliases.get(name, name)

    def validate_all(self, ranges: Ranges | None = None, *, known_plugins: Iterable[str] = ()) -> None:
        """Give every task its operation id: the start of its plugin's range plus its offset.

        `ranges` defaults to Django's setting PLUGIN_OPERATION_ID_CONFIG. A range may belong to a plugin
        with tasks or to one of `known_plugins`, those that are installed but skipped or without tasks.

        Raises:
            ImproperlyConfigured: it lists all faults, each with its remedy; nothing is changed then.
        """
        configured = _configured_ranges() if ranges is None else ranges
        faults, checked = range_faults(configured, self.canonical, {*self._configs, *known_plugins})
        operations: dict[int, Operation] = {}
        for plugin_id, config in self._configs.items():
            found, more = _numbered(plugin_id, config, checked.get(plugin_id), configured)
            operations |= found
            faults += [fault for fault in more if fault not in faults]
        if faults:
            listed = "\n".join(f"  - {fault}" for fault in faults)
            raise ImproperlyConfigured(f"PLUGIN_OPERATION_ID_CONFIG has {len(faults)} fault(s):\n{listed}")
        self._operations = operations
        self._numbers = {(o.plugin_id, o.name): number for number, o in operations.items()}

    def get_operation_id(self, plugin: str, operation_name: str) -> int:
        """Return the operation id of a plugin's task.

        Raises:
            PluginValidationError: there is no such plugin or task; the closest names are given.
        """
        plugin_id = self.canonical(plugin)
        if (plugin_id, operation_name) in self._numbers:
            return self._numbers[plugin_id, operation_name]
        if plugin_id not in self._configs:
            raise PluginValidationError(
                f"Plugin {plugin!r} has no tasks.{near_misses(plugin, [*self._configs, *self._aliases])}"
            )
        names = self._configs[plugin_id].tasks
        raise PluginValidationError(
            f"Plugin {plugin!r} has no operation {operation_name!r}.{near_misses(operation_name, names)} "
            f"It has: {', '.join(names)}."
        )

    def operation(self, number: int) -> Operation:
        """Return the operation with this id.

        Raises:
            PluginValidationError: no plugin task has it.
        """
        try:
            return self._operations[number]
        except KeyError as error:
            raise PluginValidationError(
                f"Operation id {number!r} belongs to no task of an enabled plugin. "
                "Enable the plugin that has it in its range, see PLUGIN_OPERATION_ID_CONFIG."
            ) from error

    def operations(self) -> tuple[Operation, ...]:
        """Return all operations by ascending id."""
        return tuple(self._operations[number] for number in sorted(self._operations))

    def get_task_handler(self, operation_id: int) -> Callable[..., Any]:
        """Return the task function of an operation.

        Raises:
            PluginValidationError: no such operation, or its module has no such function.
        """
        operation = self.operation(operation_id)
        return load_task(operation.module_path, operation.function_name)

    def get_all_tasks(self) -> dict[int, tuple[str, str]]:
        """Return ``{operation id: (module path, function name)}``."""
        return {o.number: (o.module_path, o.function_name) for o in self.operations()}

    def get_all_configs(self) -> dict[str, PluginTaskConfig]:
        """Return ``{plugin id: declaration}``."""
        return dict(self._configs)

    def reset(self) -> None:
        """Forget everything, for tests."""
        self.__init__()  # type: ignore[misc]  # the state is exactly what the constructor makes


PluginTaskRegistry = TaskRegistry()
"""The process's registry; plugins call ``PluginTaskRegistry.register(CONFIG)``."""


def load_task(module_path: str, function_name: str) -> Callable[..., Any]:
    """Import a task function.

    Raises:
        PluginValidationError: the module has no such function.
    """
    module = import_module(module_path)
    task = getattr(module, function_name, None)
    if not callable(task):
        raise PluginValidationError(
            f"Task function {module_path}.{function_name} does not exist."
            f"{near_misses(function_name, vars(module))} Define it or correct the PluginTaskConfig."
        )
    return task  # type: ignore[no-any-return]  # getattr gives Any; callable() has been checked


def _configured_ranges() -> Ranges:
    ranges: Ranges = getattr(settings, "PLUGIN_OPERATION_ID_CONFIG", {})
    return ranges


def _numbered(
    plugin_id: str, config: PluginTaskConfig, ids: Range | None, ranges: Ranges
) -> tuple[dict[int, Operation], list[str]]:
    """Return the operations of one plugin and what is wrong with them."""
    if ids is None:
        named = {plugin_id, config.plugin_id} & set(ranges)
        missing = (
            f"Plugin {plugin_id!r} has tasks ({', '.join(config.tasks)}) but no range of operation ids. "
            f'Add "{plugin_id}": [first, last] to PLUGIN_OPERATION_ID_CONFIG.'
        )
        return {}, [] if named else [missing]
    found, faults = {}, []
    for name, (offset, _) in config.tasks.items():
        if offset > ids.last - ids.first:
            faults.append(
                f"Task {name!r} of plugin {plugin_id!r} has offset {int(offset)}, but the range "
                f"[{ids.first}, {ids.last}] holds offsets 0 to {ids.last - ids.first}. "
                f"Widen the range to at least [{ids.first}, {ids.first + offset}]."
            )
            continue
        operation = _operation(plugin_id, config, name, ids.first + offset)
        found[operation.number] = operation
    return found, faults


def _operation(plugin_id: str, config: PluginTaskConfig, name: str, number: int) -> Operation:
    offset, function_name = config.tasks[name]
    return Operation(
        plugin_id=plugin_id,
        name=name,
        number=number,
        offset=int(offset),
        module_path=config.module_path,
        function_name=function_name,
        is_hidden=name in config.hidden_operations,
        is_cancelable=name in config.cancelable_operations,
        is_parallelizable=name in config.parallelizable_operations,
        is_downloadable=name in config.downloadable_operations,
        is_shared=name in config.shared_operations,
    )

"""Register the tasks that a plugin declares, and check that their functions exist."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from pagoda.plugins.fence import plugin_fence
from pagoda.plugins.records import PluginRefused, ReasonCode
from pagoda_plugin_sdk.checking.findings import CheckFinding
from pagoda_plugin_sdk.checking.tasks import task_fault
from pagoda_plugin_sdk.exceptions import PluginValidationError
from pagoda_plugin_sdk.task_config import PluginTaskConfig
from pagoda_plugin_sdk.task_registry import TaskRegistry


@contextmanager
def only_if_successful(tasks: TaskRegistry) -> Iterator[None]:
    """Unregister what the block registered when it raises.

    Plugins register tasks from ``ready()`` or on import, so that nobody hands us a list of what to undo.
    """
    before = set(tasks.get_all_configs())
    try:
        yield
    except BaseException:
        forget(tasks, set(tasks.get_all_configs()) - before)
        raise


def forget(tasks: TaskRegistry, plugin_ids: Collection[str]) -> None:
    """Unregister the tasks of these plugins."""
    for plugin_id in plugin_ids:
        tasks.unregister(plugin_id)


def declare(
    tasks: TaskRegistry,
    config: PluginTaskConfig | None,
    label: str,
    names: Sequence[str],
    others: Collection[str],
) -> None:
    """Register ``Plugin.task_config``, when the class has one; `others` are the names of other plugins.

    Raises:
        PluginRefused: it is another plugin's, or not all of its tasks.
    """
    if config is None:
        return
    _check_owner(config, label, names, others)
    try:
        tasks.alias(config.plugin_id, names[0])
        tasks.register(config)
    except PluginValidationError as error:
        raise PluginRefused(ReasonCode.BAD_TASKS, f"{label}: {error}") from error


def check_owners(
    tasks: TaskRegistry,
    label: str,
    names: Sequence[str],
    before: Collection[str],
    others: Collection[str],
) -> None:
    """Check that what was registered since is the plugin's own; `before` are the plugins that had tasks then.

    A third name, neither its id nor its entry point's, stands for it from here on if it is the only one.

    Raises:
        PluginRefused: it registered tasks for another plugin.
    """
    new = [config for plugin_id, config in tasks.get_all_configs().items() if plugin_id not in before]
    for config in new:
        _check_owner(config, label, names, others if len(new) == 1 else {config.plugin_id})
        if config.plugin_id not in names:
            tasks.alias(config.plugin_id, names[0])


def check_functions(tasks: TaskRegistry, plugin_id: str, label: str) -> None:
    """Import the task functions of a plugin.

    Raises:
        PluginRefused: one does not exist, or its decorator gives another offset than the declaration.
    """
    config = tasks.get_all_configs().get(plugin_id)
    if config is not None:
        _check_functions(config, label)


def _check_owner(
    config: PluginTaskConfig, label: str, names: Collection[str], others: Collection[str]
) -> None:
    if config.plugin_id not in names and config.plugin_id in others:
        raise PluginRefused(
            ReasonCode.BAD_TASKS,
            f"{label} registers tasks for plugin {config.plugin_id!r}, expected one of its own names "
            f"({', '.join(map(repr, names))}). Correct `plugin_id` of its PluginTaskConfig.",
        )


def _check_functions(config: PluginTaskConfig, label: str) -> None:
    faults = [fault for name in config.tasks if (fault := _function_fault(config, name, label)) is not None]
    if faults:
        texts = " ".join(fault.text for fault in faults)
        raise PluginRefused(ReasonCode(faults[0].code), f"{label} has {len(faults)} wrong task(s). {texts}")


def _function_fault(config: PluginTaskConfig, name: str, label: str) -> CheckFinding | None:
    path = f"{config.module_path}.{config.tasks[name][1]}"
    doing = f"{label} fails to load task function {path!r} of task {name!r}"
    with plugin_fence(ReasonCode.TASK_NOT_FOUND, doing, "Correct it or its PluginTaskConfig."):
        return task_fault(config, name)

"""A plugin's declaration of its tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pagoda_plugin_sdk.exceptions import PluginValidationError, near_misses


@dataclass(frozen=True)
class PluginTaskConfig:
    """Names the tasks of one plugin and how their jobs are treated.

    Raises:
        PluginValidationError: on construction; it lists every fault.
    """

    plugin_id: str  # Plugin.id or the entry point's name
    module_path: str  # module that holds the task functions
    tasks: Mapping[str, tuple[int, str]]  # {operation name: (offset, function name)}
    hidden_operations: Sequence[str] = field(default=())  # left out of job lists
    cancelable_operations: Sequence[str] = field(default=())  # users may cancel them
    parallelizable_operations: Sequence[str] = field(default=())  # may run side by side on one target
    downloadable_operations: Sequence[str] = field(default=())  # their jobs may carry a file

    def __post_init__(self) -> None:
        faults = [*self._name_faults(), *self._task_faults(), *self._list_faults()]
        if faults:
            raise PluginValidationError(f"PluginTaskConfig of {self.plugin_id!r}: {'; '.join(faults)}.")

    def _name_faults(self) -> list[str]:
        return [
            f"`{name}` is {value!r}, expected a non-empty string"
            for name in ("plugin_id", "module_path")
            if not isinstance(value := getattr(self, name), str) or not value
        ]

    def _task_faults(self) -> list[str]:
        if not self.tasks:
            return ["`tasks` is empty, expected {operation name: (offset, function name)}"]
        faults = []
        offsets: dict[int, str] = {}
        for name, task in self.tasks.items():
            if not _is_task(task):
                faults.append(f"task {name!r} is {task!r}, expected (offset from 0, function name)")
            elif (offset := int(task[0])) in offsets:
                faults.append(f"tasks {offsets[offset]!r} and {name!r} share offset {offset}")
            else:
                offsets[offset] = name
        return faults

    def _list_faults(self) -> list[str]:
        lists = ("hidden", "cancelable", "parallelizable", "downloadable")
        return [
            f"`{kind}_operations` names {name!r}, which is no task of it.{near_misses(name, self.tasks)}"
            for kind in lists
            for name in getattr(self, f"{kind}_operations")
            if name not in self.tasks
        ]


def is_offset(value: object) -> bool:
    """Return whether `value` is a whole number from 0 (a member of an int enum too)."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_task(task: object) -> bool:
    return (
        isinstance(task, tuple | list)
        and len(task) == 2
        and is_offset(task[0])
        and isinstance(task[1], str)
        and bool(task[1])
    )

"""A plugin's declaration of its tasks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pagoda_plugin_sdk.exceptions import PluginValidationError, near_misses
from pagoda_plugin_sdk.operations import PLUGIN_OPERATIONS

OPERATION_PATTERN = re.compile(r"[\w.-]{1,100}", re.ASCII)
"""Names of operations: they are part of a Celery task's name, and of URLs and labels."""

LARGEST_OFFSET = len(PLUGIN_OPERATIONS) - 1
"""In a range of all ids that plugins have."""

KINDS = ("hidden", "cancelable", "parallelizable", "downloadable", "shared")


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
    shared_operations: Sequence[str] = field(default=())  # who may read a job's target sees what it gave, too

    def __post_init__(self) -> None:
        faults = [*self._name_faults(), *self._task_faults(), *self._list_faults()]
        if faults:
            raise PluginValidationError(f"PluginTaskConfig of {self.plugin_id!r}: {'; '.join(faults)}.")
        # Looked at once: a mapping or a list may be computed.
        tasks = {name: (int(offset), function) for name, (offset, function) in self.tasks.items()}
        object.__setattr__(self, "tasks", tasks)
        for kind in KINDS:
            object.__setattr__(self, f"{kind}_operations", tuple(getattr(self, f"{kind}_operations")))

    def _name_faults(self) -> list[str]:
        return [
            f"`{name}` is {value!r}, expected a non-empty string"
            for name in ("plugin_id", "module_path")
            if not isinstance(value := getattr(self, name), str) or not value
        ]

    def _task_faults(self) -> list[str]:
        tasks: object = self.tasks
        if not isinstance(tasks, Mapping) or not tasks:
            what = "empty" if isinstance(tasks, Mapping) else repr(tasks)
            return [f"`tasks` is {what}, expected {{operation name: (offset, function name)}}"]
        faults = []
        offsets: dict[int, str] = {}
        for name, task in tasks.items():
            if not isinstance(name, str) or not OPERATION_PATTERN.fullmatch(name):
                faults.append(f"task {name!r} has a name with more than letters, digits, '_', '-' and '.'")
            elif not _is_task(task):
                faults.append(f"task {name!r} is {task!r}, expected (offset from 0, function name)")
            elif int(task[0]) > LARGEST_OFFSET:
                faults.append(
                    f"task {name!r} has offset {task[0]}, and no range goes beyond {LARGEST_OFFSET}"
                )
            elif (offset := int(task[0])) in offsets:
                faults.append(f"tasks {offsets[offset]!r} and {name!r} share offset {offset}")
            else:
                offsets[offset] = name
        return faults

    def _list_faults(self) -> list[str]:
        tasks: object = self.tasks
        faults, names = [], list(tasks) if isinstance(tasks, Mapping) else []
        for kind in KINDS:
            listed: object = getattr(self, f"{kind}_operations")
            if not isinstance(listed, list | tuple | set | frozenset):
                faults.append(f"`{kind}_operations` is {listed!r}, expected a list of names of its tasks")
                continue
            faults += [
                f"`{kind}_operations` names {name!r}, which is no task of it.{near_misses(str(name), names)}"
                for name in listed
                if name not in names
            ]
        return faults


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

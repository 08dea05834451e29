"""What tests of jobs need: a publisher that records, and a plugin's tasks made of functions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from pagoda.jobs import runtime
from pagoda.jobs.operations import forget_plugin_tasks
from pagoda.jobs.publisher import Message
from pagoda_plugin_sdk.task_config import PluginTaskConfig
from pagoda_plugin_sdk.task_registry import PluginTaskRegistry


@dataclass(slots=True)
class RecordingPublisher:
    """Keeps messages instead of sending them; takes at most `capacity`, as a broker that fails would."""

    sent: list[Message] = field(default_factory=list)
    capacity: int | None = None  # None: as many as come
    depths: dict[str, int] = field(default_factory=dict)  # {queue: what it says about it}

    def publish(self, messages: Sequence[Message]) -> list[Message]:
        """Keep the messages that still fit and return them."""
        room = len(messages) if self.capacity is None else max(self.capacity - len(self.sent), 0)
        taken = list(messages[:room])
        self.sent += taken
        return taken

    def depth(self, queue: str) -> int | None:
        """Return what was set in `depths`."""
        return self.depths.get(queue)

    def resume(self) -> None:
        """Do nothing: it never holds off."""

    @property
    def job_ids(self) -> list[int]:
        """Return the jobs of the messages, in order."""
        return [message.job_id for message in self.sent]


@contextmanager
def recording_publisher() -> Iterator[RecordingPublisher]:
    """Have jobs of the block published nowhere."""
    publisher = RecordingPublisher()
    before = runtime.replace_publisher(publisher)
    try:
        yield publisher
    finally:
        if before is not None:
            runtime.replace_publisher(before)


@contextmanager
def plugin_tasks(
    plugin_id: str, tasks: Sequence[Callable[..., Any]], *, first: int = 5000, **lists: Sequence[str]
) -> Iterator[PluginTaskConfig]:
    """Register task functions as a plugin's for the block, in the range [`first`, `first` + 99].

    An operation is named like its function, its offset is its place. `lists` are fields of PluginTaskConfig.
    """
    module = ModuleType(f"{plugin_id.replace('-', '_')}_tasks_{first}")
    for task in tasks:
        setattr(module, task.__name__, task)
    config = PluginTaskConfig(
        plugin_id=plugin_id,
        module_path=module.__name__,
        tasks={task.__name__: (offset, task.__name__) for offset, task in enumerate(tasks)},
        **lists,
    )
    sys.modules[module.__name__] = module
    PluginTaskRegistry.register(config)
    forget_plugin_tasks()
    try:
        _validate({plugin_id: (first, first + 99)})
        yield config
    finally:
        PluginTaskRegistry.unregister(plugin_id)
        del sys.modules[module.__name__]


def _validate(added: dict[str, tuple[int, int]]) -> None:
    """Give the tasks of all registered plugins their ids: those of `added`, and those that have theirs."""
    held: dict[str, tuple[int, int]] = {}
    for operation in PluginTaskRegistry.operations():
        start = operation.number - operation.offset
        held[operation.plugin_id] = (start, start + 99)
    PluginTaskRegistry.validate_all(held | added)

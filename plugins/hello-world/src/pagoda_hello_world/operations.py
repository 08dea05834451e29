"""The plugin's background operations."""

from __future__ import annotations

import enum

from pagoda_plugin_sdk import PluginTaskConfig


@enum.unique
class HelloWorldOperation(enum.IntEnum):
    """Offsets in the plugin's range of operation ids. Jobs are stored with them: they never change."""

    HELLO_WORLD_TASK = 0  # greets the name in its parameters, in the raw form
    GREET = 1  # the same in the simple form


TASK_CONFIG = PluginTaskConfig(
    plugin_id="hello-world",
    module_path="pagoda_hello_world.tasks",
    tasks={
        "greet": (HelloWorldOperation.GREET, "greet"),
        "hello_world_task": (HelloWorldOperation.HELLO_WORLD_TASK, "hello_world_task"),
    },
    cancelable_operations=["greet", "hello_world_task"],
    parallelizable_operations=["greet", "hello_world_task"],
)
"""Registered when the Django app is ready; `Plugin.task_config` is the shorter way to the same end."""

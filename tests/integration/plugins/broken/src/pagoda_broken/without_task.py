"""A plugin that declares a task which nobody wrote."""

from pagoda_plugin_sdk import Plugin, PluginTaskConfig


class UnreadyPlugin(Plugin):
    """Has a task on paper alone."""

    id = "unready"
    name = "Unready"
    task_config = PluginTaskConfig("unready", "pagoda_broken.without_task", {"later": (0, "later")})

"""A plugin whose jobs do nothing, so that their time is the platform's."""

from pagoda_plugin_sdk import Plugin, PluginTaskConfig


class CalmPlugin(Plugin):
    """One task that does nothing."""

    id = "calm"
    name = "Calm"
    task_config = PluginTaskConfig("calm", "pagoda_calm.tasks", {"beat": (0, "beat")})

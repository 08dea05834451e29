"""The plugin that `make chaos` runs."""

from pagoda_plugin_sdk import Plugin, PluginTaskConfig

TASKS = ("effect", "pause", "stubborn", "exit_hard", "eat_memory", "tick", "noop")


class ChaosPlugin(Plugin):
    """Tasks for every way in which a job can go wrong."""

    id = "chaos"
    name = "Chaos"
    django_apps = ["pagoda_chaos"]
    api_v2_patterns = "pagoda_chaos.urls"
    task_config = PluginTaskConfig(
        "chaos",
        "pagoda_chaos.tasks",
        {name: (offset, name) for offset, name in enumerate(TASKS)},
        cancelable_operations=["effect", "pause", "stubborn"],
    )

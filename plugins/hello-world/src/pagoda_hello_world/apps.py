"""The plugin as a Django app."""

from __future__ import annotations

from django.apps import AppConfig

from pagoda_hello_world.operations import TASK_CONFIG
from pagoda_plugin_sdk import PluginTaskRegistry


class HelloWorldConfig(AppConfig):
    """Registers the plugin's tasks."""

    name = "pagoda_hello_world"
    label = "pagoda_hello_world"
    verbose_name = "Hello World"

    def ready(self) -> None:
        PluginTaskRegistry.register(TASK_CONFIG)

"""The Django app that starts the plugins."""

from __future__ import annotations

from functools import partial

from django.apps import AppConfig, apps
from django.conf import settings

from pagoda.audit.context import set_plugin_finder
from pagoda.plugins import runtime
from pagoda.plugins.authority import acting_for_itself
from pagoda.plugins.calling import calling_plugin
from pagoda.plugins.registry import PluginRegistry
from pagoda_plugin_sdk.authority import set_authority


class PluginsConfig(AppConfig):
    """Starts the plugins once Django has loaded all models."""

    name = "pagoda.plugins"
    label = "plugins"
    verbose_name = "Plugins"

    registry: PluginRegistry | None = None  # jobs, which must not import us, ask the app for it

    def ready(self) -> None:
        self.registry = runtime.start(settings.PAGODA, apps)
        set_plugin_finder(partial(calling_plugin, self.registry))
        set_authority(partial(acting_for_itself, self.registry))

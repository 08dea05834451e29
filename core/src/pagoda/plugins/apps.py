"""The Django app that starts the plugins."""

from __future__ import annotations

from functools import partial

from django.apps import AppConfig, apps
from django.conf import settings

from pagoda.domain.acting import know_plugins
from pagoda.plugins.authority import acting_for_itself
from pagoda.plugins.boot import start
from pagoda.plugins.registry import PluginRegistry
from pagoda_plugin_sdk.authority import set_authority


class PluginsConfig(AppConfig):
    """Starts the plugins once Django has loaded all models."""

    name = "pagoda.plugins"
    label = "plugins"
    verbose_name = "Plugins"

    registry: PluginRegistry | None = None  # jobs, which must not import us, ask the app for it

    def ready(self) -> None:
        self.registry = start(settings.PAGODA, apps)
        know_plugins(self.registry.packages)
        set_authority(partial(acting_for_itself, self.registry))

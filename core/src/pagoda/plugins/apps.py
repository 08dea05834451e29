"""The Django app that starts the plugins."""

from __future__ import annotations

from django.apps import AppConfig, apps
from django.conf import settings

from pagoda.plugins import runtime
from pagoda.plugins.registry import PluginRegistry


class PluginsConfig(AppConfig):
    """Starts the plugins once Django has loaded all models."""

    name = "pagoda.plugins"
    label = "plugins"
    verbose_name = "Plugins"

    registry: PluginRegistry | None = None  # jobs, which must not import us, ask the app for it

    def ready(self) -> None:
        self.registry = runtime.start(settings.PAGODA, apps)

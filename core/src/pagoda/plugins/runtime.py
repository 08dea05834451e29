"""The process's plugin registry: made once, when Django starts."""

from __future__ import annotations

from collections.abc import Callable

from django.apps.registry import Apps
from django.core.exceptions import ImproperlyConfigured

from pagoda.config.settings import Settings
from pagoda.hooks.manager import manager
from pagoda.plugins import overrides
from pagoda.plugins.boot import boot
from pagoda.plugins.registry import Host, PluginRegistry
from pagoda_plugin_sdk.task_registry import PluginTaskRegistry

before_plugins: list[Callable[[], None]] = []
"""Called when all of the host is loaded and nothing of a plugin: a server that stands by waits here."""


class _Booted:
    registry: PluginRegistry | None = None  # set by `start`


def start(settings: Settings, apps: Apps) -> PluginRegistry:
    """Make the process's registry and start the enabled plugins.

    The registry is reachable even when this raises, so that a command can show what is wrong.

    Raises:
        PluginBootError: PAGODA_PLUGIN_STRICT is set and something is at fault.
        ImproperlyConfigured: BACKEND_PLUGIN_ENTITY_OVERRIDES is at fault.
    """
    for call in before_plugins:
        call()
    _Booted.registry = PluginRegistry(
        Host(
            hooks=manager(),
            tasks=PluginTaskRegistry,
            apps=apps,
            account=settings.database_account,
            plugin_settings=settings.plugin_settings,
            plugin_permissions=settings.plugin_permissions,
            operation_ranges=settings.plugin_operation_id_config,
            load_seconds=settings.plugin_load_timeout_seconds,
        )
    )
    boot(_Booted.registry, settings)
    overrides.bind(_Booted.registry, settings.backend_plugin_entity_overrides)
    return _Booted.registry


def registry() -> PluginRegistry:
    """Return the process's registry.

    Raises:
        ImproperlyConfigured: Django is not set up yet.
    """
    if _Booted.registry is None:
        raise ImproperlyConfigured(
            "The plugins are not started: pagoda.plugins is not ready. Call django.setup() first, "
            "with 'pagoda.plugins' in INSTALLED_APPS."
        )
    return _Booted.registry

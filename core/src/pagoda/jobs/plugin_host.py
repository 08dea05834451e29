"""The port through which jobs see the plugins: siblings that don't import each other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from django.apps import apps

from pagoda_plugin_sdk.task_registry import PluginTaskRegistry


class ActivePlugin(Protocol):
    """What jobs know of a plugin."""

    @property
    def id(self) -> str: ...
    @property
    def settings(self) -> Any: ...


class PluginHost(Protocol):
    """The plugin registry, as jobs see it."""

    @property
    def active(self) -> Sequence[ActivePlugin]:
        """Return the plugins in service, in load order."""
        ...

    def known_names(self) -> Collection[str]:
        """Return every id and alias of the enabled plugins, whatever their status."""
        ...

    def report_fault(self, name: str, code: str, text: str) -> None:
        """Note what is wrong with a plugin that stays active."""
        ...

    def digest(self) -> str:
        """Return the digest of what this process has loaded."""
        ...


def plugin_host() -> PluginHost | None:
    """Return the registry that the app `plugins` booted, or None where that app is not installed."""
    config = apps.app_configs.get("plugins")
    host: PluginHost | None = getattr(config, "registry", None)
    return host


def active_plugin_ids() -> tuple[str, ...]:
    """Return the ids of the plugins that need a queue: active ones, and all that have tasks."""
    host = plugin_host()
    active = [record.id for record in host.active] if host is not None else []
    return tuple(dict.fromkeys([*active, *PluginTaskRegistry.get_all_configs()]))


def settings_of(plugin_id: str) -> Any:
    """Return the validated settings of an active plugin, an instance of its own model; None without."""
    host = plugin_host()
    active = host.active if host is not None else ()
    return next((record.settings for record in active if record.id == plugin_id), None)


def known_plugin_names() -> frozenset[str]:
    """Return the names that a range of operation ids may belong to."""
    host = plugin_host()
    return frozenset(host.known_names()) if host is not None else frozenset()


def report_fault(plugin_id: str, text: str) -> None:
    """Note what is wrong with the tasks of a plugin."""
    if (host := plugin_host()) is not None and plugin_id in host.known_names():
        host.report_fault(plugin_id, "bad_tasks", text)


def registry_digest() -> str:
    """Return the digest of the plugin registry, "" without one."""
    host = plugin_host()
    return host.digest() if host is not None else ""

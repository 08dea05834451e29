"""The URL modules that plugins declare. Only the API serves them; checking them needs no server."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from pagoda.plugins.fence import plugin_fence
from pagoda.plugins.records import PluginRefused, ReasonCode
from pagoda.plugins.registry import PluginRegistry


def url_faults(registry: PluginRegistry) -> Iterator[str]:
    """Import the URL modules of all active plugins and yield a sentence for each that can't be served."""
    for declared in registry.urls:
        for path in filter(None, (declared.api_v2_patterns, declared.url_patterns)):
            try:
                _check(declared.plugin_id, path)
            except PluginRefused as refused:
                yield str(refused)


def _check(plugin_id: str, path: str) -> None:
    doing = f"Plugin {plugin_id!r} fails to import its URL module {path!r}"
    with plugin_fence(ReasonCode.URLS_FAILED, doing, "Correct it; the plugin runs without URLs until then."):
        module = import_module(path)
    if not isinstance(getattr(module, "urlpatterns", None), list | tuple):
        raise PluginRefused(
            ReasonCode.URLS_FAILED,
            f"Plugin {plugin_id!r} has the URL module {path!r} without a list `urlpatterns`. Define one.",
        )

"""The URL modules that plugins declare. Only the API serves them; checking them needs no server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from django.urls import URLResolver

from pagoda.plugins.fence import plugin_fence
from pagoda.plugins.records import PluginRefused, ReasonCode
from pagoda.plugins.registry import PluginRegistry
from pagoda_plugin_sdk.checking.load_watch import watched_load
from pagoda_plugin_sdk.checking.urls import resolver_of


def url_faults(registry: PluginRegistry) -> Iterator[str]:
    """Import the URL modules of all active plugins and yield a sentence for each that can't be served."""
    for declared in registry.urls:
        report = partial(registry.report_fault, declared.plugin_id, ReasonCode.SIDE_EFFECTS)
        modules = (declared.api_v2_patterns, declared.url_patterns, declared.console_patterns)
        for path in filter(None, modules):
            try:
                load_urls(declared.plugin_id, path, "", report=report, seconds=registry.host.load_seconds)
            except PluginRefused as refused:
                yield str(refused)


def load_urls(
    plugin_id: str,
    path: str,
    prefix: str,
    *,
    report: Callable[[str], object],
    seconds: float,
) -> URLResolver:
    """Import a URL module, go through all of its patterns, and return what serves them below `prefix`.

    `report` is called with a sentence when that changes the process.

    Raises:
        PluginRefused: the module raises, or holds a pattern that can't be served.
    """
    what = f"Loading its URL module {path!r}"
    doing = f"URL module {path!r} of plugin {plugin_id!r} is not served"
    remedy = "Mend the module and restart the API; the plugin runs without these URLs until then."
    with plugin_fence(ReasonCode.URLS_FAILED, doing, remedy), watched_load(seconds, what, report):
        return resolver_of(path, prefix)

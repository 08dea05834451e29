"""Refuse a plugin whose marked methods do not fit: handlers of hooks, panels."""

from __future__ import annotations

from pagoda.plugins.records import PluginRefused, ReasonCode
from pagoda_plugin_sdk.checking.handlers import handler_faults
from pagoda_plugin_sdk.plugin import Plugin


def check_handlers(plugin: Plugin, label: str) -> None:
    """Check the names and signatures of all handlers.

    Raises:
        PluginRefused: it lists every handler that names an unknown hook, and every method that can't take its
            arguments.
    """
    if faults := list(handler_faults(plugin)):
        listed = " ".join(fault.text for fault in faults)
        raise PluginRefused(
            ReasonCode(faults[0].code), f"{label} has {len(faults)} wrong handler(s). {listed}"
        )

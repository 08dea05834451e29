"""Check the hook handlers that a plugin declares against the hooks' specs."""

from __future__ import annotations

from pagoda.plugins.records import PluginRefused, ReasonCode
from pagoda_plugin_sdk.exceptions import PluginValidationError, UnknownHook
from pagoda_plugin_sdk.hooks import HOOK_SPECS, check_signature, resolve_hook_name
from pagoda_plugin_sdk.plugin import Plugin


def check_handlers(plugin: Plugin, label: str) -> None:
    """Check the names and signatures of all handlers.

    Raises:
        PluginRefused: it lists every handler that names an unknown hook or can't take its arguments.
    """
    faults: list[tuple[ReasonCode, str]] = []
    for declared in plugin._hook_handlers:
        try:
            spec = HOOK_SPECS[resolve_hook_name(declared["hook_name"])]
            handler = getattr(plugin, declared["method_name"])
            check_signature(spec, handler)
        except UnknownHook as error:
            faults.append((ReasonCode.UNKNOWN_HOOK, f"{declared['method_name']}: {error}"))
        except PluginValidationError as error:
            faults.append((ReasonCode.BAD_SIGNATURE, str(error)))
    if faults:
        listed = " ".join(text for _, text in faults)
        raise PluginRefused(faults[0][0], f"{label} has {len(faults)} wrong hook handler(s). {listed}")

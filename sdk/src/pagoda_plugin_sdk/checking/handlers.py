"""Check the hook handlers that a plugin declares against the hooks' specs."""

from __future__ import annotations

from collections.abc import Iterator

from pagoda_plugin_sdk.checking.findings import CheckFinding
from pagoda_plugin_sdk.exceptions import PluginValidationError, UnknownHook
from pagoda_plugin_sdk.hooks import HOOK_SPECS, check_signature, resolve_hook_name
from pagoda_plugin_sdk.plugin import Plugin


def handler_faults(plugin: Plugin) -> Iterator[CheckFinding]:
    """Yield each handler that names an unknown hook or can't take its arguments."""
    for declared in plugin._hook_handlers:
        try:
            spec = HOOK_SPECS[resolve_hook_name(declared["hook_name"])]
            check_signature(spec, getattr(plugin, declared["method_name"]))
        except UnknownHook as error:
            yield CheckFinding(code="unknown_hook", text=f"{declared['method_name']}: {error}")
        except PluginValidationError as error:
            yield CheckFinding(code="bad_signature", text=str(error))

"""Check the methods that a plugin has marked: hook handlers by the hooks' specs, and panels."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from pagoda_plugin_sdk.checking.findings import CheckFinding
from pagoda_plugin_sdk.exceptions import PluginValidationError, UnknownHook
from pagoda_plugin_sdk.hooks import HOOK_SPECS, check_signature, resolve_hook_name, takes_plainly
from pagoda_plugin_sdk.plugin import Plugin


def handler_faults(plugin: Plugin) -> Iterator[CheckFinding]:
    """Yield each handler that names an unknown hook, and each method that can't take its arguments."""
    for declared in plugin._hook_handlers:
        try:
            spec = HOOK_SPECS[resolve_hook_name(declared["hook_name"])]
            check_signature(spec, getattr(plugin, declared["method_name"]))
        except UnknownHook as error:
            yield CheckFinding(code="unknown_hook", text=f"{declared['method_name']}: {error}")
        except PluginValidationError as error:
            yield CheckFinding(code="bad_signature", text=str(error))
    for mark, name in plugin._entry_parts:
        method = getattr(plugin, name)
        if takes_plainly(method, 2):
            continue
        try:
            inspect.signature(method).bind(None, None)
            fault = "is a coroutine function" if inspect.iscoroutinefunction(method) else None
        except TypeError as error:
            fault = f"can't take (request, entry): {error}"
        if fault:
            text = (
                f"{name}: the {mark.kind} {mark.title!r} {fault}. Write `def {name}(self, request, entry)`."
            )
            yield CheckFinding(code="bad_signature", text=text)

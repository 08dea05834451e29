"""Check the hook handlers that a plugin declares against the hooks' specs."""

from __future__ import annotations

import inspect
from types import MethodType

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
            if not _takes_plainly(handler, len(spec.arguments)):
                check_signature(spec, handler)
        except UnknownHook as error:
            faults.append((ReasonCode.UNKNOWN_HOOK, f"{declared['method_name']}: {error}"))
        except PluginValidationError as error:
            faults.append((ReasonCode.BAD_SIGNATURE, str(error)))
    if faults:
        listed = " ".join(text for _, text in faults)
        raise PluginRefused(faults[0][0], f"{label} has {len(faults)} wrong hook handler(s). {listed}")


def _takes_plainly(handler: object, count: int) -> bool:
    """Return whether a look at the code settles that `handler` takes `count` positional arguments.

    It settles nearly all; `inspect.signature` costs 20 times as much and counts at start-up.
    """
    function = handler.__func__ if isinstance(handler, MethodType) else None
    code = getattr(function, "__code__", None)
    if code is None or (vars(function) and hasattr(function, "__wrapped__")):
        return False
    is_coroutine = code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR)
    if is_coroutine or code.co_kwonlyargcount:
        return False
    most = code.co_argcount - 1  # without self
    least = most - len(getattr(function, "__defaults__", None) or ())
    return least <= count and (count <= most or bool(code.co_flags & inspect.CO_VARARGS))

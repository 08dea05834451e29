"""Check the methods that a plugin has marked, handlers, panels and overrides, by how they are called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pagoda_plugin_sdk.checking.findings import CheckFinding
from pagoda_plugin_sdk.exceptions import PluginValidationError, UnknownHook
from pagoda_plugin_sdk.hooks import (
    HOOK_SPECS,
    HookKind,
    HookSpec,
    call_fault,
    check_signature,
    resolve_hook_name,
)
from pagoda_plugin_sdk.plugin import Plugin

_PLAIN = (str, int, float, bool, bytes, dict, list, tuple, set)
_OF_ARGUMENTS = {
    **dict.fromkeys(("entity_name", "schema_name", "name"), str),
    **dict.fromkeys(("attrs", "attrinfo"), list),
    "validated_data": dict,
    "is_retrieve": bool,
}
"""``{argument of a hook: its type}``; the others are objects of the host's."""
_RETURNED = {HookKind.TRANSFORM: dict, HookKind.FILTER: list}


def handler_faults(plugin: Plugin) -> Iterator[CheckFinding]:
    """Yield each handler that names an unknown hook, and each method that can't take its arguments."""
    for declared in plugin._hook_handlers:
        if (name := declared["method_name"]) in vars(Plugin):
            text = f"Handler {name} has the name of an attribute that every plugin has. Give it another."
            yield CheckFinding(code="bad_signature", text=text)
            continue
        try:
            spec = HOOK_SPECS[resolve_hook_name(declared["hook_name"])]
            check_signature(spec, getattr(plugin, name))
        except UnknownHook as error:
            yield CheckFinding(code="unknown_hook", text=f"{declared['method_name']}: {error}")
        except PluginValidationError as error:
            yield CheckFinding(code="bad_signature", text=str(error))
    for mark, name in plugin._entry_parts:
        fault = call_fault(getattr(plugin, name), ("request", "entry"), "self, request, entry")
        if fault is not None:
            text = f"{name}: the {mark.kind} {mark.title!r} {fault}."
            yield CheckFinding(code="bad_signature", text=text)


def override_faults(plugin: Plugin) -> Iterator[CheckFinding]:
    """Yield each override that can't be called, or never is, as a later one has its operation."""
    serving = {declared["operation"]: declared["method_name"] for declared in plugin._override_handlers}
    for declared in plugin._override_handlers:
        name, operation = declared["method_name"], declared["operation"]
        if (fault := call_fault(getattr(plugin, name), ("context",), "self, context")) is not None:
            yield CheckFinding(code="bad_signature", text=f"Override {name} of {operation!r} {fault}.")
        if serving[operation] != name:
            yield CheckFinding(
                code="bad_signature",
                text=f"Override {name} of {operation!r} is never called, as {serving[operation]} follows. "
                "Keep one of the two.",
                is_warning=True,
            )


def type_warnings(plugin: Plugin) -> Iterator[CheckFinding]:
    """Yield a warning for each annotation of a handler that is another plain type than what comes or goes."""
    for declared in plugin._hook_handlers:
        spec = HOOK_SPECS.get(declared["hook_name"])
        handler = getattr(plugin, declared["method_name"])
        for what in () if spec is None else _wrong_types(spec, handler):
            text = f"{declared['method_name']} of hook {declared['hook_name']!r} {what}. Correct it."
            yield CheckFinding(code="bad_signature", text=text, is_warning=True)
    for override in plugin._override_handlers:
        name = override["method_name"]
        if returned := _plain_types(_hints(getattr(plugin, name)).get("return")):
            text = f"Override {name} of {override['operation']!r} returns {returned[0].__name__}, expected a "
            text += "response, such as success_response makes, or None. Correct it."
            yield CheckFinding(code="bad_signature", text=text, is_warning=True)


def _wrong_types(spec: HookSpec, handler: Callable[..., Any]) -> Iterator[str]:
    hints, code = _hints(handler), getattr(handler, "__code__", None)
    names = code.co_varnames[inspect.ismethod(handler) : code.co_argcount] if code is not None else ()
    for name, argument in zip(names, spec.arguments, strict=False):
        expected = _OF_ARGUMENTS.get(argument)
        if (found := _plain_types(hints.get(name))) and expected not in found:
            called = expected.__name__ if expected else "an object of the host's"
            yield f"has {name!r} as {found[0].__name__}, which is called with {called}"
    returned, found = _RETURNED.get(spec.kind), _plain_types(hints.get("return"))
    if found and returned is None:
        how = "; it refuses by raising HookRejected" if spec.kind is HookKind.VETO else ""
        yield f"returns {found[0].__name__}, which nobody reads{how}"
    elif found and returned is not None and returned not in found:
        yield f"returns {found[0].__name__}, expected {returned.__name__} or None"


def _hints(method: Callable[..., Any]) -> dict[str, Any]:
    """Return ``{argument, or "return": annotation}``, as far as it can be known."""
    try:
        return get_type_hints(method)
    except Exception:  # noqa: BLE001 - names that are there for type checkers alone, or no plain function
        return {}


def _plain_types(hint: Any) -> list[type]:
    """Return the plain types that an annotation allows, none when it allows others, too."""
    members = [get_origin(each) or each for each in (get_args(hint) if _is_union(hint) else [hint])]
    found = [each for each in members if each is not type(None)]
    return found if all(each in _PLAIN for each in found) else []


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType)

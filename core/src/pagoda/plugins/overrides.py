"""Which plugins take the place of operations on entries, as BACKEND_PLUGIN_ENTITY_OVERRIDES says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pagoda.plugins.records import PluginRecord, PluginRefused, ReasonCode
from pagoda.plugins.registry import PluginRegistry
from pagoda_plugin_sdk.checking.values import unknown_fields
from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.hooks import call_fault
from pagoda_plugin_sdk.override import OVERRIDE_OPERATIONS, OverrideContext, OverrideOperation
from pagoda_plugin_sdk.plugin import Plugin
from pagoda_plugin_sdk.rules.text import clean_name

SETTING = "BACKEND_PLUGIN_ENTITY_OVERRIDES"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One operation on the entries of one entity, as a plugin does it."""

    plugin_id: str
    operation: OverrideOperation
    handler: Callable[[OverrideContext], Any]  # Any: a response, None, or whatever a plugin returns
    params: Any  # what the plugin made of the operator's


type Bindings = Mapping[str, Mapping[OverrideOperation, Override]]
"""``{entity's id or clean name: {operation: override}}``"""


class _EntityBinding(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    plugin: str
    operations: list[str] = Field(min_length=1)
    params: dict[str, Any] = {}


class _Bound:
    """What the API serves."""

    bindings: Bindings = {}


def bindings() -> Bindings:
    """Return what is bound in this process."""
    return _Bound.bindings


OF_ITEMS: Mapping[str, tuple[OverrideOperation, ...]] = {
    "create": ("create",),
    "update": ("update",),
    "upsert": ("create", "update"),
    "delete": ("delete",),
}
"""The operations of an override that an item of many would pass by."""


def bind(registry: PluginRegistry, setting: Mapping[str, Any]) -> None:
    """Bind what the setting says; operations of a plugin that is skipped stay the host's own.

    Raises:
        ImproperlyConfigured: it lists every fault of the setting; nothing is bound then.
    """
    faults: list[str] = []
    found = {clean_name(key): _overrides(registry, key, value, faults) for key, value in setting.items()}
    refuse(faults)
    _Bound.bindings = {key: each for key, each in found.items() if each}


def override_for(entity_id: int, name: str, operation: OverrideOperation) -> Override | None:
    """Return what takes the place of `operation` on the entries of an entity; its id goes before its name."""
    bound = _Bound.bindings
    return bound.get(str(entity_id), bound.get(clean_name(name), {})).get(operation)


def many_fault(entity_id: int, name: str, op: str) -> str:
    """Return why `op` of an item can't be one write of many: a plugin is asked by single requests alone.

    It is empty where no plugin takes the place of what the item does, or may turn out to do.
    """
    if not any(override_for(entity_id, name, operation) for operation in OF_ITEMS[op]):
        return ""
    return "A plugin does this in the host's place; send it as a request of its own."


def _overrides(
    registry: PluginRegistry, key: str, value: Any, faults: list[str]
) -> dict[OverrideOperation, Override]:
    named = value.get("plugin") if isinstance(value, dict) else None
    record = registry.find(named) if isinstance(named, str) else None
    if isinstance(named, str) and record is None:
        misses = near_misses(named, registry.known_names())
        faults.append(f"{key!r} names plugin {named!r}, which is not enabled.{misses}")
    try:
        binding = _EntityBinding.model_validate(value)
    except ValidationError as error:
        faults += [f"{key!r}: {text}" for text in _texts(error)]
        return {}
    operations = list(_operations(key, binding, faults))
    if record is None:
        return {}
    if record.plugin is None or not record.is_active:
        text = f"Entity {key!r} is bound in {SETTING}, but plugin {record.id!r} is {record.status.value}."
        registry.report_configuration_fault(ReasonCode.OVERRIDE_OFF, text)
        return {}
    found: dict[OverrideOperation, Override] = {}
    for operation in operations:
        try:
            with registry.loading(record, ReasonCode.INVALID_PLUGIN, f"{record.label} fails", "Correct it."):
                made = _made(record.plugin, record, operation, binding.params)
        except PluginRefused as refused:
            faults += [f"{key!r}: {text}" for text in _refusals(refused)]
        else:
            if isinstance(made, str):
                faults.append(f"{key!r}: {made}")
            else:
                found[operation] = made
    return found


def _operations(key: str, binding: _EntityBinding, faults: list[str]) -> Iterator[OverrideOperation]:
    """Yield the operations that there are, each once."""
    written = [each.lower() for each in binding.operations]
    for name in dict.fromkeys(written):
        known = next((each for each in OVERRIDE_OPERATIONS if each == name), None)
        if known is None:
            misses = near_misses(name, OVERRIDE_OPERATIONS)
            faults.append(
                f"{key!r} binds {name!r}, expected one of {', '.join(OVERRIDE_OPERATIONS)}.{misses}"
            )
        else:
            yield known
        if written.count(name) > 1:
            faults.append(f"{key!r} binds {name!r} twice. Keep one of the two.")


def _made(
    plugin: Plugin, record: PluginRecord, operation: OverrideOperation, params: dict[str, Any]
) -> Override | str:
    """Return the override, or what is wrong with the plugin's; this runs its code."""
    handler = plugin.get_handler(operation)
    if handler is None:
        offered = ", ".join(each for each in OVERRIDE_OPERATIONS if plugin.get_handler(each)) or "none"
        return f"plugin {record.id!r} has no method for {operation!r}, it has: {offered}."
    if (fault := call_fault(handler, ("context",), "self, context")) is not None:
        return f"{handler.__qualname__} {fault}."
    if plugin.params_model is not None and (unknown := list(unknown_fields(plugin.params_model, params))):
        return f"params: {' '.join(unknown)}"
    return Override(
        plugin_id=record.id, operation=operation, handler=handler, params=plugin.validate_params(dict(params))
    )


def _refusals(refused: PluginRefused) -> Iterator[str]:
    """Yield what is wrong; pydantic's texts without the values, which may be secrets."""
    cause = refused.__cause__
    if isinstance(cause, ValidationError):
        yield from (f"params: {text}" for text in _texts(cause))
    else:
        yield str(refused)


def _texts(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        where = ".".join(map(str, fault["loc"]))
        yield f"`{where}`: {fault['msg']}." if where else f"{fault['msg']}."


def refuse(faults: Sequence[str]) -> None:
    """Refuse the setting if there is anything wrong with it.

    Raises:
        ImproperlyConfigured: it lists the faults.
    """
    if faults:
        listed = "\n".join(f"  - {fault}" for fault in faults)
        raise ImproperlyConfigured(f"{SETTING} has {len(faults)} fault(s):\n{listed}")

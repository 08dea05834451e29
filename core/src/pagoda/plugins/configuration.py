"""Check a plugin's values in PLUGIN_SETTINGS against its settings model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from pagoda.plugins.declaration import Declaration
from pagoda.plugins.fence import plugin_fence
from pagoda.plugins.records import PluginRefused, ReasonCode
from pagoda_plugin_sdk.exceptions import PluginSecurityError, near_misses

PluginSettings = Mapping[str, Mapping[str, Any]]
"""``{plugin id or alias: {field: value}}``, the setting PLUGIN_SETTINGS; values are whatever JSON holds."""

_HIDDEN = "[hidden]"
_SHORTEST_SECRET = 3
"""Shorter values are left in messages: hiding every "1" would make them unreadable."""


def settings_of(
    declared: Declaration, label: str, names: Iterable[str], settings: PluginSettings
) -> BaseModel | None:
    """Return the plugin's settings, validated; None for a plugin that takes none.

    Raises:
        PluginRefused: values do not fit; each fault names its field, none shows a value.
    """
    values = _values(label, names, settings)
    model = declared.settings_model
    if model is None:
        if values:
            raise _refused(label, ["it takes no settings, as its class has no `settings_model`"])
        return None
    faults = [*_unknown_fields(model, values)]
    validated = None
    try:
        validated = _validated(model, values, label)
    except _ModelFaults as error:
        faults += error.faults
    if faults:
        raise _refused(label, faults)
    return validated


class WithheldSettings:
    """Stands for the settings of a plugin in the worker of another one, which has not got them."""

    def __init__(self, plugin_id: str) -> None:
        self._plugin_id = plugin_id

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what Python itself looks for, such as when it copies
            raise AttributeError(name)
        raise PluginSecurityError(
            f"Setting {name!r} of plugin {self._plugin_id!r} is not here: this is the worker of another "
            "plugin. Register the handler with deferred=True, so that it runs in the plugin's own."
        )


def withheld_settings(declared: Declaration, plugin_id: str) -> Any:
    """Return what stands for a plugin's settings where they are not; None for a plugin that takes none."""
    return None if declared.settings_model is None else WithheldSettings(plugin_id)


class _ModelFaults(Exception):
    def __init__(self, faults: list[str]) -> None:
        super().__init__(faults)
        self.faults = faults


def _values(label: str, names: Iterable[str], settings: PluginSettings) -> Mapping[str, Any]:
    held = [name for name in names if name in settings]
    if len(held) > 1:
        raise _refused(label, [f"it is there twice, as {' and as '.join(map(repr, held))}"])
    return settings[held[0]] if held else {}


def _validated(model: type[BaseModel], values: Mapping[str, Any], label: str) -> BaseModel:
    try:
        with plugin_fence(ReasonCode.BAD_SETTINGS, f"{label}: its settings model fails", "Correct it."):
            return _validate(model, values)
    except PluginRefused as refusal:
        cause = refusal.__cause__
        if isinstance(cause, ValidationError):
            raise _ModelFaults(_fault_lines(cause, values)) from None  # the cause holds the values
        raise PluginRefused(refusal.reason_code, _hide(str(refusal), values)) from None


def _validate(model: type[BaseModel], values: Mapping[str, Any]) -> BaseModel:
    return model.model_validate(dict(values))


def _fault_lines(error: Any, values: Mapping[str, Any]) -> list[str]:
    lines = []
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        field = ".".join(str(part) for part in fault["loc"]) or "the whole"
        lines.append(f"`{field}`: {_hide(fault['msg'], values)}")
    return lines


def _unknown_fields(model: type[BaseModel], values: Mapping[str, Any]) -> Iterator[str]:
    """Report keys that the model would drop in silence, unless it says itself what to do with extras."""
    if model.model_config.get("extra") is not None:
        return
    known = {*model.model_fields, *(f.alias for f in model.model_fields.values() if f.alias)}
    for key in values:
        if key not in known:
            yield f"`{key}`: there is no such setting.{near_misses(key, known)}"


def _hide(text: str, values: object) -> str:
    """Replace each configured value that a message repeats, as it may be a secret."""
    for value in sorted(_leaves(values), key=len, reverse=True):
        if len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, _HIDDEN)
    return text


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    else:
        yield str(value)


def _refused(label: str, faults: list[str]) -> PluginRefused:
    return PluginRefused(
        ReasonCode.BAD_SETTINGS,
        f"{label} has wrong values in PLUGIN_SETTINGS: {'; '.join(faults)}. "
        "Correct them there; values are not shown, as they may be secrets.",
    )

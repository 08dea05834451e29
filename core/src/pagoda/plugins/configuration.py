"""Check a plugin's values in PLUGIN_SETTINGS against its settings model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from pagoda.plugins.declaration import Declaration
from pagoda.plugins.fence import plugin_fence
from pagoda.plugins.records import PluginRefused, ReasonCode
from pagoda_plugin_sdk.checking.values import fault_lines, hidden, unknown_fields
from pagoda_plugin_sdk.exceptions import PluginSecurityError

PluginSettings = Mapping[str, Mapping[str, Any]]
"""``{plugin id or alias: {field: value}}``, the setting PLUGIN_SETTINGS; values are whatever JSON holds."""


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
    faults = [*unknown_fields(model, values)]
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
            raise _ModelFaults(fault_lines(cause, values)) from None  # the cause holds the values
        raise PluginRefused(refusal.reason_code, hidden(str(refusal), values)) from None


def _validate(model: type[BaseModel], values: Mapping[str, Any]) -> BaseModel:
    return model.model_validate(dict(values))


def _refused(label: str, faults: list[str]) -> PluginRefused:
    return PluginRefused(
        ReasonCode.BAD_SETTINGS,
        f"{label} has wrong values in PLUGIN_SETTINGS: {'; '.join(faults)}. "
        "Correct them there; values are not shown, as they may be secrets.",
    )

"""A plugin's settings in a test, validated as a host does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pagoda_plugin_sdk.checking.values import fault_lines, unknown_fields
from pagoda_plugin_sdk.exceptions import PluginLoadError
from pagoda_plugin_sdk.plugin import Plugin


def validated_settings(plugin: Plugin, values: Mapping[str, Any]) -> Any:
    """Return `values` as an instance of the plugin's settings model; None for a plugin that takes none.

    Any: values of the model, and its instance.

    Raises:
        PluginLoadError: they do not fit; each fault names its field.
    """
    model = plugin.settings_model
    if model is None:
        faults = ["it takes no settings, as its class has no `settings_model`"] if values else []
        made = None
    else:
        faults = [*unknown_fields(model, values)]
        try:
            made = model.model_validate(dict(values))
        except ValueError as error:  # pydantic's, which is not imported here
            faults += fault_lines(error, values)  # type: ignore[arg-type]
    if faults:
        raise PluginLoadError(f"Plugin {plugin.id!r} has wrong settings: {'; '.join(faults)}.")
    return made

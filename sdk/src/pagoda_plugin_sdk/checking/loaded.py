"""What the class of a plugin tells once it is loaded: nothing that keeps it from being served."""

from __future__ import annotations

from collections.abc import Iterator

from pagoda_plugin_sdk.checking.attributes import misspelt_attributes
from pagoda_plugin_sdk.checking.defaults import default_findings
from pagoda_plugin_sdk.checking.findings import CheckFinding
from pagoda_plugin_sdk.checking.handlers import override_faults, type_warnings
from pagoda_plugin_sdk.checking.marks import lost_marks, stray_marks
from pagoda_plugin_sdk.checking.panels import template_warnings
from pagoda_plugin_sdk.plugin import Plugin


def class_findings(plugin: Plugin) -> Iterator[CheckFinding]:
    """Yield what an author would mend, beside what a host refuses. Call it inside a fence."""
    yield from override_faults(plugin)
    yield from type_warnings(plugin)
    yield from lost_marks(plugin)
    yield from stray_marks(plugin)
    yield from misspelt_attributes(plugin)
    yield from template_warnings(plugin)
    for what, model in (
        ("`settings_model`", plugin.settings_model),
        ("`params_model`", plugin.params_model),
    ):
        if model is not None:
            yield from default_findings(what, model, "bad_settings")

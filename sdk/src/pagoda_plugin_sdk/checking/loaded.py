"""What the class of a plugin tells once it is loaded: nothing that keeps it from being served."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from difflib import get_close_matches

from pagoda_plugin_sdk.checking.defaults import default_findings
from pagoda_plugin_sdk.checking.findings import CheckFinding
from pagoda_plugin_sdk.checking.handlers import override_faults, type_warnings
from pagoda_plugin_sdk.checking.marks import lost_marks, own_classes, stray_marks
from pagoda_plugin_sdk.checking.panels import template_warnings
from pagoda_plugin_sdk.metadata import DECLARED
from pagoda_plugin_sdk.plugin import Plugin

_CLOSE = 0.88
"""How alike a slip of the pen is, of 1."""


def class_findings(plugin: Plugin) -> Iterator[CheckFinding]:
    """Yield what an author would mend, beside what a host refuses. Call it inside a fence."""
    yield from override_faults(plugin)
    yield from type_warnings(plugin)
    yield from lost_marks(plugin)
    yield from stray_marks(plugin)
    yield from _misspelt_attributes(plugin)
    yield from template_warnings(plugin)
    for what, model in (
        ("`settings_model`", plugin.settings_model),
        ("`params_model`", plugin.params_model),
    ):
        if model is not None:
            yield from default_findings(what, model, "bad_settings")


def _misspelt_attributes(plugin: Plugin) -> Iterator[CheckFinding]:
    """Yield a warning for each attribute that is nearly called as one that a plugin may declare."""
    written = {name: value for base in own_classes(type(plugin)) for name, value in vars(base).items()}
    missing = [name for name in DECLARED if name not in written]
    for name, value in written.items():
        if name.startswith("_") or hasattr(Plugin, name) or inspect.isroutine(value):
            continue
        for close in get_close_matches(name, missing, n=1, cutoff=_CLOSE):
            yield CheckFinding(
                code="invalid_plugin",
                text=f"Its class has `{name}`, which the host does not read. Did you mean `{close}`?",
                is_warning=True,
            )

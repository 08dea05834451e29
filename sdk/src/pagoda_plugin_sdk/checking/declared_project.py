"""Check what pyproject.toml says beside a plugin's class: its version, and the function of its demo data."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from packaging.version import InvalidVersion, Version

from pagoda_plugin_sdk.checking.findings import CheckFinding
from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.hooks import call_fault
from pagoda_plugin_sdk.metadata import ID_PATTERN
from pagoda_plugin_sdk.plugin import Plugin
from pagoda_plugin_sdk.project import PluginProject, tool_faults


def project_faults(project: PluginProject) -> Iterator[CheckFinding]:
    """Yield what is wrong with [tool.pagoda] as it is written."""
    for text in tool_faults(project.tool):
        yield CheckFinding(code="bad_metadata", text=f"pyproject.toml: {text}")


def name_warnings(project: PluginProject) -> Iterator[CheckFinding]:
    """Yield a warning for each entry point whose name can't be one of the plugin's: no URL can have it."""
    for name in project.entry_points:
        if not ID_PATTERN.fullmatch(name):
            text = (
                f"The entry point {name!r} has a name that no URL can have: the plugin is served by its id "
                "alone. Give it at most 64 letters of English, digits, hyphens and underscores, best the id."
            )
            yield CheckFinding(code="bad_metadata", text=text, is_warning=True)


def version_warnings(project: PluginProject, plugin: Plugin) -> Iterator[CheckFinding]:
    """Yield a warning when the class has another version than the distribution; a default is no version."""
    written = [base for base in type(plugin).__mro__ if "version" in vars(base)]
    if project.version != "0" and written[0] is not Plugin and not _is_same(plugin.version, project.version):
        text = f"Its class has version {plugin.version!r}, pyproject.toml has {project.version!r}: the host "
        text += "shows the one and pins the other. Write the same."
        yield CheckFinding(code="bad_metadata", text=text, is_warning=True)


def seed_faults(project: PluginProject) -> Iterator[CheckFinding]:
    """Import the function of the demo data and yield what is wrong with it. Call it inside a fence.

    Raises:
        Exception: whatever its module raises.
    """
    target = str(project.tool["seed"])
    module, _, name = target.partition(":")
    function = getattr(loaded := import_module(module), name, None)
    fault: str | None = "is no function"
    if function is None:
        fault = f"is not there.{near_misses(name, vars(loaded))}"
    elif callable(function):
        fault = call_fault(function, ("user",), "user")
    if fault is not None:
        text = f"`seed` of [tool.pagoda], {target!r}, {fault}".rstrip(".")
        yield CheckFinding(code="bad_metadata", text=f"{text}.")


def _is_same(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other

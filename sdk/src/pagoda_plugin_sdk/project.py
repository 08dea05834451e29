"""A plugin's project on disk, as its pyproject.toml describes it. None of its code runs here."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pagoda_plugin_sdk.exceptions import PluginValidationError, near_misses

ENTRY_POINTS = "pagoda.plugins"
"""Name of the entry-point group of plugins."""

_TYPES: Mapping[str, tuple[type, str]] = {
    "name": (str, "a text"),
    "version": (str, "a text"),
    "requires-python": (str, "a text"),
    "dependencies": (list, "a list of requirements"),
    "entry-points": (dict, "tables of entry points"),
}
"""``{field of [project]: (its type, in words)}``"""

_TOOL_TYPES: Mapping[str, tuple[type, str]] = {
    "seed": (str, 'a text, "package.module:function"'),
    "entities": (list, "a list of names"),
    "settings": (dict, "a table"),
    "chaos": (dict, "a table"),
}
"""``{key of [tool.pagoda]: (its type, in words)}``"""

_CHAOS_TYPES: Mapping[str, tuple[type, str]] = {
    "keeps": (list, "a list of tables"),
    **dict.fromkeys(("entries", "params", "bodies", "override_params"), (dict, "a table")),
}
"""The same of [tool.pagoda.chaos]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginProject:
    """What the author wrote down of a plugin's distribution."""

    folder: Path
    name: str
    version: str  # "0" where build tools alone know it
    requires: tuple[str, ...]  # requirements as written
    requires_python: str
    entry_points: Mapping[str, str]  # {name: "package.module:Class"} of the plugins
    tool: Mapping[str, Any]  # the table [tool.pagoda]; Any: TOML

    @property
    def source(self) -> Path:
        """Return the folder that is put on ``sys.path``."""
        source = self.folder / "src"
        return source if source.is_dir() else self.folder


def read_project(folder: Path) -> PluginProject:
    """Read the pyproject.toml of `folder`.

    Raises:
        PluginValidationError: there is none, or it is wrong; every fault is listed.
    """
    path = folder / "pyproject.toml"
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PluginValidationError(
            f"There is no pyproject.toml in {str(folder)!r}. Go to the plugin's folder, or make one with "
            "`pagoda-plugin new NAME`."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise PluginValidationError(f"pyproject.toml: {type(error).__name__}: {error}") from error
    project = tables.get("project", {})
    if faults := list(_faults(project)):
        raise PluginValidationError(f"pyproject.toml: {'; '.join(faults)}")
    tool = tables.get("tool")
    own = tool.get("pagoda") if isinstance(tool, dict) else None
    return PluginProject(
        folder=folder,
        name=project.get("name", folder.name),
        version=project.get("version", "0"),
        requires=tuple(project.get("dependencies", ())),
        requires_python=project.get("requires-python", ""),
        entry_points=dict(project.get("entry-points", {}).get(ENTRY_POINTS, {})),
        tool=own if isinstance(own, dict) else {},
    )


def _faults(project: Any) -> Iterator[str]:
    """Yield what is wrong with the table [project]; Any: whatever TOML holds."""
    if not isinstance(project, dict):
        yield "`project` is no table"
        return
    for field, (kind, wanted) in _TYPES.items():
        value = project.get(field, kind())
        if not _has_type(value, kind):
            yield f"`{field}` of [project] is {value!r}, expected {wanted}"
    points = project.get("entry-points", {})
    own = points.get(ENTRY_POINTS, {}) if isinstance(points, dict) else {}
    if not isinstance(own, dict) or not all(isinstance(target, str) for target in own.values()):
        yield f'[project.entry-points."{ENTRY_POINTS}"] is {own!r}, expected name = "package.module:Class"'


def tool_faults(tool: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the table [tool.pagoda]; Any: whatever TOML holds."""
    yield from _key_faults(tool, _TOOL_TYPES, "[tool.pagoda]")
    seed, chaos = tool.get("seed"), tool.get("chaos")
    if isinstance(seed, str) and not all(seed.partition(":")):
        yield f"`seed` of [tool.pagoda] is {seed!r}, expected {_TOOL_TYPES['seed'][1]}"
    if isinstance(chaos, dict):
        yield from _key_faults(chaos, _CHAOS_TYPES, "[tool.pagoda.chaos]")


def _key_faults(table: Mapping[str, Any], types: Mapping[str, tuple[type, str]], of: str) -> Iterator[str]:
    for key, value in table.items():
        if key not in types:
            yield f"`{key}` of {of} is no key of its.{near_misses(key, types)}"
        elif not _has_type(value, types[key][0]):
            yield f"`{key}` of {of} is {value!r}, expected {types[key][1]}"


def _has_type(value: Any, kind: type) -> bool:
    is_mixed = isinstance(value, list) and not all(isinstance(each, str) for each in value)
    return isinstance(value, kind) and not is_mixed

"""The integration tests know Pagoda from outside: its images, its API, its tables and its broker."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path("tests/integration")
PLUGINS = TESTS / "plugins"
ALLOWED = ("pagoda_plugin_sdk.testing", "tools.chart", "tools.escape_")
"""The test kit, the chart's renderer, and the lists of what bare clients try."""


def imported(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def of_ours(path: Path) -> set[str]:
    return {name for name in imported(path) if name.partition(".")[0].startswith(("pagoda", "tools"))}


def test_they_import_nothing_of_pagoda(files: list[Path], root: Path) -> None:
    tests = [path for path in files if path.suffix == ".py" and path.is_relative_to(root / TESTS)]
    faults = {
        str(path.relative_to(root)): names
        for path in tests
        if not path.is_relative_to(root / PLUGINS)
        and (names := {name for name in of_ours(path) if not name.startswith(ALLOWED)})
    }
    assert tests
    assert faults == {}


@pytest.mark.parametrize("plugin", ["broken", "neighbour", "probe", "trial"])
def test_their_plugins_import_the_sdk_alone(files: list[Path], root: Path, plugin: str) -> None:
    modules = [path for path in files if path.is_relative_to(root / PLUGINS / plugin / "src")]
    packages = {name.partition(".")[0] for path in modules for name in of_ours(path)}
    assert packages <= {"pagoda_plugin_sdk", f"pagoda_{plugin}"}
    assert "pagoda_plugin_sdk" in packages

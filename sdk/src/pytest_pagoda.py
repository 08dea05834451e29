"""Pytest's way to the test kit: the entry point ``pytest11`` of the SDK's wheel.

It is a module of its own so that a project that is no plugin of Pagoda's pays for nothing: there it looks for
a ``pyproject.toml`` and imports no more. A plugin's names an entry point of the group ``pagoda.plugins``.
"""

from __future__ import annotations

import importlib
import importlib.util
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

GROUP = "pagoda.plugins"


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Start the host, or what stands for it, before any module of the plugin is imported."""
    project = next(_projects(early_config), None)
    if project is None:
        return
    # By name, as nothing of it is to be imported elsewhere.
    starting = importlib.import_module("pagoda_plugin_sdk.testing.starting")
    starting.start_for(early_config, *project)
    early_config.pluginmanager.import_plugin("pagoda_plugin_sdk.testing.database")
    early_config.pluginmanager.import_plugin("pagoda_plugin_sdk.testing.fixtures")
    if (
        importlib.util.find_spec("httpx") is not None
    ):  # the extra `dev` brings it, as the processes that it asks
        early_config.pluginmanager.import_plugin("pagoda_plugin_sdk.testing.stack")


def _projects(config: pytest.Config) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield ``(folder, pyproject)`` of the plugins around what is to be tested; Any: TOML."""
    start = config.invocation_params.dir
    for given in config.known_args_namespace.file_or_dir or [""]:
        path = (start / given.partition("::")[0]).absolute()
        for folder in (path, *path.parents):
            file = folder / "pyproject.toml"
            declared = _read(file) if file.is_file() else {}
            if declared.get("project", {}).get("entry-points", {}).get(GROUP):
                yield folder, declared
                break


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except ValueError:  # no TOML: whoever needs it tells what is wrong
        return {}

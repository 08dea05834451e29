"""Run the tools that `pagoda-plugin` drives: Python modules, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from pagoda_plugin_sdk.project import PluginProject

# The host brings it; without one the environment alone counts.
_dotenv = import_module("dotenv") if find_spec("dotenv") is not None else None


def run_module(
    *arguments: str, folder: Path | None = None, environ: dict[str, str] | None = None, is_shown: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m`` with `arguments` to its end; its output is shown, or kept in `stdout`."""
    output = None if is_shown else subprocess.PIPE
    return subprocess.run(  # noqa: S603 - our own command lines, no shell
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=environ,
        stdout=output,
        stderr=None if is_shown else subprocess.STDOUT,
        text=True,
        check=False,
    )


def environment_of(project: PluginProject) -> dict[str, str]:
    """Return the variables of this process, with the plugin's sources on Python's path."""
    path = filter(None, (str(project.source.absolute()), os.environ.get("PYTHONPATH")))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def with_env_file(folder: Path) -> dict[str, str]:
    """Return the variables of the project's ``.env``, where it can be read, and of this process over them."""
    kept = _dotenv.dotenv_values(folder / ".env") if _dotenv is not None else {}
    return {name: value for name, value in kept.items() if value is not None} | dict(os.environ)

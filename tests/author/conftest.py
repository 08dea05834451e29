"""What the tests of `pagoda-plugin` share: the command, run as an author does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def plugin_command() -> Run:
    """Run `pagoda-plugin` in a folder and return how it ended, with all of its output in `stdout`."""

    def run(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "-m", "pagoda_plugin_sdk.cli", *arguments)
        return subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def demo(plugin_command: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project that `pagoda-plugin new` makes; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("author")
    made = plugin_command("new", "demo", "--author", "Ada", cwd=folder)
    assert made.returncode == 0, made.stdout
    return folder / "demo"

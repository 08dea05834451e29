"""`pagoda-plugin test`: the plugin's tests, with its project found and nothing to configure."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pagoda_plugin_sdk.cli.processes import environment_of, run_module
from pagoda_plugin_sdk.project import read_project


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PYTEST'S ARGUMENTS]...")
def test(arguments: tuple[str, ...]) -> None:
    """Run pytest in the plugin's folder, with its code importable; what follows is pytest's."""
    environ = environment_of(read_project(Path.cwd()))
    sys.exit(run_module("pytest", *arguments, environ=environ, is_shown=True).returncode)

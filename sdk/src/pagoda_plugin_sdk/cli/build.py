"""`pagoda-plugin build`: wheel and sdist, checked for what an index and a host will ask of them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click

from pagoda_plugin_sdk.cli.artifacts import sdist_faults, wheel_faults
from pagoda_plugin_sdk.cli.processes import run_module
from pagoda_plugin_sdk.project import PluginProject, read_project

DIST = Path("dist")


@click.command()
@click.option("--isolated", is_flag=True, help="Install the build backend into an environment of its own.")
def build(*, isolated: bool) -> None:
    """Make the wheel and the sdist in dist/; there is none unless all checks pass."""
    project = read_project(Path.cwd())
    with tempfile.TemporaryDirectory(prefix="pagoda-plugin-") as folder:
        made = _made(Path(folder), isolated=isolated)
        _check(project, made)
        DIST.mkdir(exist_ok=True)
        for path in made:
            shutil.move(path, DIST / path.name)
            click.echo(f"made {DIST / path.name}")


def _made(folder: Path, *, isolated: bool) -> list[Path]:
    options = () if isolated else ("--no-isolation",)
    ended = run_module("build", "--outdir", str(folder), *options)
    if ended.returncode:
        hint = "" if isolated else " Where its build backend is missing: pagoda-plugin build --isolated"
        raise click.ClickException(f"The build failed.{hint}\n{ended.stdout.strip()}")
    return sorted(folder.iterdir())


def _check(project: PluginProject, made: list[Path]) -> None:
    faults = [
        fault
        for path in made
        for fault in (wheel_faults if path.suffix == ".whl" else sdist_faults)(path, project)
    ]
    if faults:
        listed = "\n".join(f"  - {fault}" for fault in faults)
        raise click.ClickException(f"What was built lacks something; {DIST}/ is unchanged:\n{listed}")
    ended = run_module("twine", "--no-color", "check", "--strict", *map(str, made))
    if ended.returncode:
        text = f"An index would refuse it; {DIST}/ is unchanged:\n{ended.stdout.strip()}"
        raise click.ClickException(text)

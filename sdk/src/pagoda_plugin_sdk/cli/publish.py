"""`pagoda-plugin publish`: upload what `build` made."""

from __future__ import annotations

import re
from pathlib import Path

import click
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from pagoda_plugin_sdk.cli.build import DIST
from pagoda_plugin_sdk.cli.processes import run_module
from pagoda_plugin_sdk.project import PluginProject, read_project

_HINTS = {
    r"HTTPError: 4(00|09)|already exists": (
        " An index takes a version once: raise `version` where this one is there."
    ),
    r"HTTPError: 40[13]|Credential not found": (
        " Say who uploads, by TWINE_USERNAME and TWINE_PASSWORD, a configuration file of twine or a keyring, "
        "and see that they may."
    ),
    r"ConnectionError|Timeout": " Nothing answers there: look at the address, and whether the index is up.",
}
"""``{what twine says, as a pattern: what to do}``"""


@click.command()
@click.option("--index", metavar="URL", required=True, help="Where the index takes uploads.")
@click.option("--dry-run", is_flag=True, help="Check and show what would be uploaded, and upload nothing.")
def publish(*, index: str, dry_run: bool) -> None:
    """Upload the wheel and the sdist of the version in pyproject.toml.

    twine does it: TWINE_USERNAME and TWINE_PASSWORD, its configuration file or a keyring say who uploads.
    """
    project = read_project(Path.cwd())
    files = artifacts_of(project, DIST)
    if not {".whl", ".gz"} <= {path.suffix for path in files}:
        what = f"{project.name} {project.version}"
        raise click.ClickException(
            f"{DIST}/ has no wheel and sdist of {what}. Run `pagoda-plugin build` first."
        )
    for path in files:
        click.echo(f"{'would upload' if dry_run else 'uploading'} {path} to {index}")
    upload = ("upload", "--non-interactive", "--disable-progress-bar", "--repository-url", index)
    ended = run_module(
        "twine", "--no-color", *(("check", "--strict") if dry_run else upload), *map(str, files)
    )
    if ended.returncode:
        told = ended.stdout.strip()
        if "Traceback (most recent call last)" in told:
            told = told.splitlines()[-1]
        hints = (hint for sign, hint in _HINTS.items() if not dry_run and re.search(sign, told))
        raise click.ClickException(f"twine failed.{next(hints, '')}\n{told}")
    click.echo("nothing was uploaded" if dry_run else f"published {project.name} {project.version}")


def artifacts_of(project: PluginProject, folder: Path) -> list[Path]:
    """Return the files in `folder` that hold the project's present version."""
    wanted = (canonicalize_name(project.name), Version(project.version))
    return [path for path in sorted(folder.glob("*")) if _parsed(path.name) == wanted]


def _parsed(name: str) -> tuple[str, Version] | None:
    try:
        return parse_wheel_filename(name)[:2] if name.endswith(".whl") else parse_sdist_filename(name)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None

"""`pagoda-plugin update`: bring what the template changed since the project was made.

Copier compares three renderings, and takes templates from a git repository. The wheels of the SDK hold one
version each: a repository for the time of the update has the project's and this one, and git finds it under
the address that the project's answers name.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import click
from packaging.version import Version

from pagoda_plugin_sdk import __version__
from pagoda_plugin_sdk.cli.new import ADDRESS, TEMPLATE, tidy
from pagoda_plugin_sdk.cli.processes import run_module

ANSWERS = Path(".copier-answers.yml")


@click.command()
def update() -> None:
    """Bring the changes of this SDK's template into the project.

    What the author wrote stays; where both changed the same lines, the file has git's marks of a conflict.
    """
    answers = ANSWERS.read_text(encoding="utf-8") if ANSWERS.is_file() else ""
    found = re.search(r'^_commit: "?([\w.]+)', answers, re.MULTILINE)
    if found is None:
        raise click.ClickException(
            f"There is no {ANSWERS} that `pagoda-plugin new` wrote: nothing to update."
        )
    before = found[1]
    if Version(before) >= Version(__version__):
        click.echo(
            f"The project has the template of {before}; that of this SDK is {__version__}: nothing to do."
        )
        return
    if _git("status", "--porcelain") != "":
        raise click.ClickException(
            "Commit your changes to git first: what the update does is seen beside them."
        )
    with tempfile.TemporaryDirectory(prefix="pagoda-plugin-") as made:
        repository = Path(made) / "template"
        repository.mkdir()
        _git("init", "--quiet", folder=repository)
        for version, template in ((before, _template_of(before, Path(made))), (__version__, TEMPLATE)):
            _keep(repository, template, version)
        environ = os.environ | {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{repository}.insteadOf",
            "GIT_CONFIG_VALUE_0": ADDRESS,
            "XDG_CACHE_HOME": made,  # Copier keeps repositories by address, and the next one is another
        }
        options = ("--defaults", "--quiet", "--vcs-ref", __version__)
        ended = run_module("copier", "update", *options, environ=environ)
        if ended.returncode:
            raise click.ClickException(f"The update failed:\n{ended.stdout.strip()}")
    conflicts = _conflicts()
    if not conflicts:
        tidy(Path())
    click.echo(
        f"Updated from the template of {before} to that of {__version__}; `git diff` shows what changed."
    )
    if conflicts:
        raise click.ClickException(
            f"You and the template changed the same lines of {', '.join(conflicts)}: choose between what "
            "stands there after <<<<<<< and after =======."
        )


def _conflicts() -> list[str]:
    """Return the files of the project that have git's marks of a conflict."""
    changed = _git("diff", "--name-only", "--relative", "HEAD").splitlines()
    files = [path for path in map(Path, changed) if path.is_file()]
    return [str(path) for path in files if b"\n<<<<<<< " in b"\n" + path.read_bytes()]


def _template_of(version: str, folder: Path) -> Path:
    """Return the template of another version, out of that version's wheel."""
    target = folder / "sdk"
    has_pip = find_spec("pip") is not None
    installer = [sys.executable, "-m", "pip"] if has_pip else [shutil.which("uv") or "uv", "pip"]
    command = [*installer, "install", "--quiet", "--no-deps", "--target", str(target)]
    ended = subprocess.run(  # noqa: S603 - our own command line, no shell
        [*command, f"pagoda-plugin-sdk=={version}"], capture_output=True, text=True, check=False
    )
    template = target / "pagoda_plugin_sdk" / "template"
    if ended.returncode or not template.is_dir():
        raise click.ClickException(
            f"The template of pagoda-plugin-sdk {version}, which the project was made from, can't be had:\n"
            f"{ended.stderr.strip()}"
        )
    return template


def _keep(repository: Path, template: Path, version: str) -> None:
    for path in repository.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(template, repository, dirs_exist_ok=True)
    _git("add", "--all", "--force", folder=repository)
    identity = ("-c", "user.name=pagoda-plugin", "-c", "user.email=pagoda-plugin@example.org")
    _git(*identity, "commit", "--quiet", "--allow-empty", "--message", version, folder=repository)
    _git("tag", version, folder=repository)


def _git(*arguments: str, folder: Path | None = None) -> str:
    """Run git and return what it prints.

    Raises:
        click.ClickException: it fails, or there is none.
    """
    git = shutil.which("git")
    if git is None:
        raise click.ClickException("`pagoda-plugin update` needs git, which is not on PATH.")
    ended = subprocess.run(  # noqa: S603 - git itself
        [git, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise click.ClickException(f"git {arguments[0]} failed: {ended.stderr.strip()}")
    return ended.stdout.strip()

"""`pagoda-plugin new`: the project of a new plugin, from the template."""

from __future__ import annotations

import datetime
import re
import shutil
import subprocess
from pathlib import Path

import click
import copier

from pagoda_plugin_sdk import __version__
from pagoda_plugin_sdk.cli.naming import PluginNames, names_of
from pagoda_plugin_sdk.cli.processes import run_module

TEMPLATE = Path(__file__).parents[1] / "template"
ADDRESS = "https://pagoda-plugin.invalid/template.git"
"""What projects know the template by; no machine has it there, see `pagoda_plugin_sdk.cli.update`."""

_UNQUOTED = re.compile(r"""[^"'`\\{}\x00-\x1f\x7f-\x9f\u2028\u2029]+""")


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--title", default=None, help="For people; by default it is made of NAME.")
@click.option("--author", default=None, help="Whose it is; by default the user.name of git.")
@click.option("--description", default=None, help="What it does, in a sentence.")
def new(*, name: str, title: str | None, author: str | None, description: str | None) -> None:
    """Make the project of a new plugin in the folder NAME; its last part is the plugin's name."""
    names, folder = names_of(name), Path(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise click.ClickException(
            f"{str(folder)!r} is there already and not empty: nothing was changed. "
            "Choose another name, or remove it first."
        )
    make(folder, names, title=title, author=author, description=description)
    click.echo(
        f"Made {names.title} in {folder}: plugin {names.id!r}, distribution {names.distribution}, "
        f"package {names.package}.\n"
        f"Next: cd {folder} && pagoda-plugin test && pagoda-plugin dev"
    )


def make(
    folder: Path, names: PluginNames, *, title: str | None, author: str | None, description: str | None
) -> None:
    """Write the project; nothing is left of it when that fails."""
    answers = {
        "plugin_id": names.id,
        "title": title or names.title,
        "distribution": names.distribution,
        "package": names.package,
        "class_name": names.class_name,
        "prefix": names.class_name.removesuffix("Plugin"),
        "author": author or _git_user() or f"The authors of {names.distribution}",
        "description": description or f"{title or names.title} for Pagoda",
        "year": datetime.datetime.now(tz=datetime.UTC).year,
    }
    if any(not _UNQUOTED.fullmatch(str(answer)) for answer in answers.values()):
        text = "Title, author and description can't be empty or hold quotes, backslashes or line breaks."
        raise click.ClickException(text)
    answers |= {"sdk": __version__}
    copier.run_copy(str(TEMPLATE), folder, data=answers, defaults=True, quiet=True, overwrite=True)
    tidy(folder)


def tidy(folder: Path) -> None:
    """Wrap lines anew: how long they are depends on the names."""
    for arguments in (("check", "--fix"), ("format",)):
        run_module("ruff", *arguments, "--quiet", "--no-cache", ".", folder=folder)


def _git_user() -> str:
    if (git := shutil.which("git")) is None:
        return ""
    found = subprocess.run(  # noqa: S603 - git itself
        [git, "config", "user.name"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip()

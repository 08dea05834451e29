"""The command and its parts, each imported only when it is called."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec

import click

from pagoda_plugin_sdk.exceptions import PagodaError

EXTRA = "pagoda-plugin-sdk[dev]"
"""What installs everything that the command needs."""

HOST = ("pagoda", "pagoda_api", "pagoda_worker")


@dataclass(frozen=True, slots=True)
class Part:
    """One command of `pagoda-plugin`; the SDK alone does not bring what it needs."""

    target: str  # "module:click command"
    help: str
    needs: tuple[str, ...] = ()  # modules


PARTS: Mapping[str, Part] = {
    "new": Part("new:new", "Make the project of a new plugin.", ("copier", "ruff")),
    "update": Part("update:update", "Bring the changes of a later template.", ("copier", "ruff")),
    "check": Part("check:check", "Check all that can be known without a host."),
    "dev": Part("dev:dev", "Serve the plugin in a host of its own, with reload.", (*HOST, "watchfiles")),
    "manage": Part("dev:manage", "Run a command of Django in that host.", (*HOST, "watchfiles")),
    "test": Part("test:test", "Run the plugin's tests.", (*HOST, "pytest")),
    "chaos": Part(
        "chaos:chaos", "Try handlers and tasks under what a host can do to them.", (*HOST, "pytest")
    ),
    "docs": Part("docs:docs", "Write a page on the plugin, of what it declares.", HOST),
    "build": Part("build:build", "Make the wheel and the sdist, and check them.", ("build", "twine")),
    "publish": Part("publish:publish", "Upload what `build` made to an index.", ("twine",)),
}
"""``{command: where it is}``"""


class AuthorCommands(click.Group):
    """Imports a command on its first use, and says of each what to install for it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # click's signature
        return list(PARTS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if (part := PARTS.get(cmd_name)) is None:
            return None
        if missing := [name for name in part.needs if find_spec(name) is None]:
            settings = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
            fail = partial(_refuse, cmd_name, missing)
            return click.Command(cmd_name, settings, callback=fail, short_help=part.help)
        module, _, attribute = part.target.partition(":")
        command: click.Command = getattr(import_module(f"pagoda_plugin_sdk.cli.{module}"), attribute)
        return command


def _refuse(command: str, missing: list[str]) -> None:
    raise click.ClickException(
        f"`pagoda-plugin {command}` needs {', '.join(missing)}, which the SDK alone does not bring. "
        f"Install it with the extra: pip install '{EXTRA}'"
    )


@click.group(cls=AuthorCommands, context_settings={"max_content_width": 110})
@click.version_option(package_name="pagoda-plugin-sdk")
def main() -> None:
    """Make, check, try, test, build and publish a plugin of Pagoda."""


def run() -> None:
    """Run the command line; a fault is a sentence and exit status 1."""
    try:
        sys.exit(main(standalone_mode=True))
    except PagodaError as error:
        sys.exit(f"Error: {error}")

"""The `pagoda` command and its parts, each imported only when it is called."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import NoReturn

import click

from pagoda.config.ending import run_and_end

PARTS = {
    "alerts": "pagoda.cli.alerts:alerts",
    "audit": "pagoda.cli.audit:audit",
    "broker": "pagoda.cli.broker:broker",
    "entries": "pagoda.cli.entries:entries",
    "export": "pagoda.cli.transfer:export_entries",
    "health": "pagoda.cli.health:health",
    "import": "pagoda.cli.transfer:import_entries",
    "jobs": "pagoda.cli.jobs:jobs",
    "manage": "pagoda.cli.management:manage",
    "migrate": "pagoda.cli.management:migrate",
    "plugins": "pagoda.cli.plugins:plugins",
    "wait": "pagoda.cli.waiting:wait",
}
"""``{command: module:click command}``"""


class LazyGroup(click.Group):
    """A group whose commands are imported on first use, so that `pagoda --help` needs no Django."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # click's signature
        return [name for name, target in PARTS.items() if find_spec(target.partition(":")[0]) is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module, _, attribute = PARTS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


@click.group(cls=LazyGroup)
@click.version_option(package_name="pagoda-core")
def main() -> None:
    """Operate a Pagoda host. Settings come from the environment; .env.example lists them."""


def run() -> NoReturn:
    """Run the command line in a process of its own."""
    run_and_end(main)

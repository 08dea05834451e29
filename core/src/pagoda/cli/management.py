"""`pagoda migrate` and `pagoda manage ...`: Django's management commands under the host's settings."""

from __future__ import annotations

import click
from django.core.management import execute_from_command_line

from pagoda.cli.startup import faults_reported, read_settings, set_up

PASS_THROUGH = {"ignore_unknown_options": True, "help_option_names": []}
"""Leaves every option, ``--help`` included, to Django's command."""


@click.command(context_settings=PASS_THROUGH)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def migrate(arguments: tuple[str, ...]) -> None:
    """Bring the database up to date, plugins' tables included."""
    _run("pagoda", ["migrate", *arguments])


@click.command(context_settings=PASS_THROUGH)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def manage(arguments: tuple[str, ...]) -> None:
    """Run a management command of Django, such as `createsuperuser` or `shell`."""
    _run("pagoda manage", list(arguments))


def _run(program: str, arguments: list[str]) -> None:
    with faults_reported():
        read_settings().make_data_dir()
        set_up(log_level="WARNING")
    execute_from_command_line([program, *arguments])

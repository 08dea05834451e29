"""`pagoda migrate` and `pagoda manage ...`: Django's management commands under the host's settings."""

from __future__ import annotations

from importlib import import_module

import click
from django.core.management import execute_from_command_line

from pagoda.cli.startup import BULLET, faults_reported, read_settings, set_up
from pagoda.config.accounts import read_passwords
from pagoda.plugins.registry import registry

PASS_THROUGH = {"ignore_unknown_options": True, "help_option_names": []}
"""Leaves every option, ``--help`` included, to Django's command."""

LOOKS = frozenset({"--plan", "--check", "--help", "-h", "--version"})
"""Options with which `migrate` changes nothing."""


@click.command(context_settings=PASS_THROUGH)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def migrate(arguments: tuple[str, ...]) -> None:
    """Bring the database up to date, plugins' tables included, and the accounts of processes there.

    Indexes of attributes are made as they are marked `is_indexed`, unless apps are named. Accounts are made
    where PAGODA_ACCOUNT_PASSWORDS_DIR names a folder of passwords.
    """
    _run("pagoda", ["migrate", *arguments])
    if LOOKS & set(arguments):
        return
    with faults_reported():
        if read_settings().pagoda_account_passwords_dir is not None:
            _make_accounts()
        if all(argument.startswith("-") for argument in arguments):
            _make_indexes()


@click.command(context_settings=PASS_THROUGH)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def manage(arguments: tuple[str, ...]) -> None:
    """Run a management command of Django, such as `createsuperuser` or `shell`."""
    _run("pagoda manage", list(arguments))


def _make_accounts() -> None:
    from pagoda.database_accounts.applying import apply, without_password  # late: models load after set-up

    folder = read_settings().pagoda_account_passwords_dir
    passwords = {} if folder is None else read_passwords(folder)
    done = apply(registry(), passwords)
    click.echo(f"Accounts at the database: {', '.join(done.accounts) or 'none'}")
    for line in without_password(done.accounts, passwords):
        click.echo(line, err=True)
    for name in done.revoked:
        click.echo(f"Account {name!r} lost its rights and its login: its plugin is not enabled")
    if done.faults:
        raise click.ClickException(
            "\n".join(("Accounts at the database:", *map(BULLET.__add__, done.faults)))
        )


def _make_indexes() -> None:
    done = import_module("pagoda.domain.value_indexes").make_indexes()  # once the apps are loaded
    for name, error in done.failed.items():
        click.echo(f"{name}: {error}. `pagoda entries index` tries again.", err=True)


def _run(program: str, arguments: list[str]) -> None:
    with faults_reported():
        read_settings().make_data_dir()
        set_up(log_level="WARNING")
    execute_from_command_line([program, *arguments])

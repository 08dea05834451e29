"""`pagoda wait`: for scripts and init containers that must not go on too early."""

from __future__ import annotations

from datetime import timedelta

import click

from pagoda.cli.startup import faults_reported, read_settings, set_up
from pagoda.health.waiting import wait_for

WAITABLE = ("database", "migrations", "broker")


@click.command()
@click.option(
    "--for", "names", type=click.Choice(WAITABLE), multiple=True, help="May be repeated; all unless given."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=None,
    metavar="SECONDS",
    help="By default PAGODA_WAIT_SECONDS.",
)
def wait(names: tuple[str, ...], timeout: float | None) -> None:
    """Wait until database, migrations and broker are there; exit 1 with the reason when they are not."""
    with faults_reported():
        set_up(log_level="INFO")
        limit = read_settings().pagoda_wait_seconds if timeout is None else timeout
        wait_for(names or WAITABLE, timeout=timedelta(seconds=limit))
    click.echo(f"ready: {', '.join(names or WAITABLE)}")

"""`pagoda entries`: hold the current values of entries against their history, and index them."""

from __future__ import annotations

from importlib import import_module
from itertools import islice

import click
from django.apps import apps

from pagoda.cli.startup import QUIET, HostGroup, faults_reported, set_up

SHOWN = 10


@click.group(cls=HostGroup)
def entries() -> None:
    """Hold the current values of entries against their history, and index them."""
    with faults_reported():
        set_up(log_level=QUIET)


@entries.command()
@click.option(
    "--repair", is_flag=True, help="Store what the history says where the entry says something else."
)
def verify(*, repair: bool) -> None:
    """Compare the current values of entries with the history, which counts; exit 1 when one is wrong.

    Names of earlier releases, which nothing but their own spelling finds, are told with the way to mend them.
    """
    found = apps.get_model("entry.Entry").services.verify(repair=repair)
    wrong = f"{len(found.wrong)} of {found.entries} entries had other current values than their history"
    if found.wrong:
        shown = ", ".join(map(str, found.wrong[:SHOWN])) + (", ..." if len(found.wrong) > SHOWN else "")
        if not repair:
            raise click.ClickException(f"{wrong}: {shown}. `pagoda entries verify --repair` mends them.")
        click.echo(f"{wrong} and were mended: {shown}")
    else:
        click.echo(f"ok: {found.entries} entries")
    if found.missing:
        done = (
            "got their current values" if repair else "are read from the history; --repair makes that faster"
        )
        click.echo(f"{found.missing} of them {done}")
    old = import_module("pagoda.domain.old_names").old_names()
    first = [str(each) for each in islice(old, SHOWN)]
    if first:
        more = sum(1 for _ in old)
        told = "; ".join(first) + (f"; and {more:,} more" if more else "")
        click.echo(f"Names of an earlier release, found by their id or just as they are spelled: {told}")


@entries.command()
def index() -> None:
    """Make and drop the indexes of attributes as they are marked `is_indexed`; exit 1 when one fails."""
    done = import_module("pagoda.domain.value_indexes").make_indexes()  # once the apps are loaded
    click.echo(f"{len(done.made)} made, {len(done.dropped)} dropped, {len(done.failed)} failed")
    if done.left:
        raise click.ClickException(
            f"{', '.join(done.left)}: left, as the account in DATABASE_URL does not own the tables. "
            "Run this with the owner's."
        )
    if done.failed:
        raise click.ClickException("; ".join(f"{name}: {error}" for name, error in done.failed.items()))

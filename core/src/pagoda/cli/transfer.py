"""`pagoda export` and `pagoda import`: entries and their schema in files."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from django.apps import apps
from rich.console import Console
from rich.progress import Progress, TaskProgressColumn, TextColumn

from pagoda.cli.startup import QUIET, faults_reported, set_up
from pagoda.cli.tables import show_table

FORMAT = click.Choice(["csv", "json", "xlsx", "yaml"])
COLUMNS = ("ROW", "ENTITY", "NAME", "COLUMN", "REASON")
AS = click.option("--as", "username", help="With the rights of this user; else as the host, which may all.")


@click.command(name="export")
@click.argument("entities", nargs=-1)
@click.option("--output", "path", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option("--format", "file_format", type=FORMAT, help="Unless the name of the file says it.")
@AS
def export_entries(
    *, entities: tuple[str, ...], path: Path, file_format: str | None, username: str | None
) -> None:
    """Write the entries of entities, of all unless some are named, with their schema to a file."""
    with faults_reported():
        set_up(log_level=QUIET)
        chosen = file_format or _module("formats").format_of(path.name)
        part = path.with_name(f"{path.name}.part")
        try:
            with part.open("wb") as stream, _progress() as progress:
                count = _module("exporting").export(
                    stream, _user(username), file_format=chosen, entities=entities, progress=progress
                )
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    click.echo(f"{count:,} entries are in {path}")


@click.command(name="import")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--format", "file_format", type=FORMAT, help="Unless the name of the file says it.")
@click.option("--entity", default="", help="Of rows that name none.")
@click.option("--key", default="name", show_default=True, help="What finds the entry of a row.")
@click.option("--skip", "is_skipping", is_flag=True, help="Leave out what is refused, and write the rest.")
@click.option("--preview", "is_preview", is_flag=True, help="Write nothing; say what would be written.")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON object.")
@AS
def import_entries(
    *, path: Path, file_format: str | None, username: str | None, as_json: bool, **options: Any
) -> None:
    """Make and change entries as a file says: all rows, or none; exit 1 when one is refused."""
    with faults_reported():
        set_up(log_level=QUIET)
        chosen = file_format or _module("formats").format_of(path.name)
        importing = _module("importing")
        gc.freeze()  # what is loaded stays: full collections would walk it, a quarter of an import
        with path.open("rb") as stream, _progress() as progress:
            wanted = importing.ImportOptions(file_format=chosen, **options)
            report = importing.import_file(stream, _user(username), wanted, progress)
    if as_json:
        click.echo(json.dumps(report.to_json()))
    else:
        click.echo(
            f"{report.created:,} created, {report.updated:,} updated, {report.unchanged:,} unchanged, "
            f"{report.refused:,} refused; {'written' if report.is_written else 'nothing is written'}"
        )
        if report.refusals:
            rows = [[str(x.row), x.entity, x.name, x.column, x.reason] for x in report.refusals]
            show_table(COLUMNS, rows)
    if report.refused:
        raise SystemExit(1)


def _module(name: str) -> Any:
    """Return a module that needs the models, which exist once the host is set up."""
    return import_module(f"pagoda.transfer.{name}")


def _user(username: str | None) -> Any:  # a User, or None
    if username is None:
        return None
    user = apps.get_model("user.User").objects.filter(username=username, is_active=True).first()
    if user is None:
        raise click.ClickException(f"There is no active user {username!r}.")
    return user


@contextmanager
def _progress() -> Iterator[Any]:
    """Show on a terminal how far it is."""
    columns = (TaskProgressColumn(), TextColumn("{task.fields[rows]:,} rows"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task("", total=1.0, rows=0)
        yield lambda rows, part: shown.update(task, completed=part, rows=rows)

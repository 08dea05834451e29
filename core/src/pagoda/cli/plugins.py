"""`pagoda plugins`: what is enabled, what is wrong with it, and what a hook runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
from django.apps import apps
from django.db import DatabaseError

from pagoda.cli.doctor import doctor
from pagoda.cli.plugin_operating import dry_run, live_processes, processes, retry, silence, switches
from pagoda.cli.plugin_packages import install_plugin, remove_plugin
from pagoda.cli.startup import QUIET, faults_reported, read_settings, set_up, startup_faults
from pagoda.cli.tables import show_table
from pagoda.plugins.advice import finding_texts
from pagoda.plugins.description import describe_all, explain_hook
from pagoda.plugins.discovery import discover
from pagoda.plugins.lock import pin_of
from pagoda.plugins.migrations import left_behind, missing_of_host, missing_of_plugins
from pagoda.plugins.permissions import line_to_add
from pagoda.plugins.registry import registry
from pagoda.plugins.selection import select
from pagoda_plugin_sdk.checking.entities import entity_warnings
from pagoda_plugin_sdk.exceptions import UnknownHook
from pagoda_plugin_sdk.hooks import resolve_hook_name

if TYPE_CHECKING:
    from pagoda.plugins.description import Description
    from pagoda.watching.models import PermissionUse

COLUMNS = ("PLUGIN", "VERSION", "STATUS", "REASON", "HOOKS", "TASKS", "QUEUE")

PERMISSION_COLUMNS = ("PERMISSION", "ASKED", "GRANTED", "LAST USED", "LAST REFUSED")

EXPLAIN_COLUMNS = ("RUNS", "PLUGIN", "HANDLER", "WHY")


@click.group()
def plugins() -> None:
    """Look at the plugins."""


plugins.add_command(doctor)
plugins.add_command(install_plugin)
plugins.add_command(remove_plugin)
plugins.add_command(retry)
plugins.add_command(dry_run)
plugins.add_command(silence)
plugins.add_command(switches)
plugins.add_command(processes)


@plugins.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print all that is known, as JSON.")
def list_plugins(*, as_json: bool) -> None:
    """List the enabled plugins with their status."""
    with faults_reported():
        set_up(log_level=QUIET)

    found = describe_all(registry())
    if as_json:
        click.echo(json.dumps(found, indent=2))
    elif not found:
        click.echo("No plugins are enabled. Name them in ENABLED_PLUGINS.")
    else:
        show_table(COLUMNS, map(_row, found))
        for line in _reasons(found):
            click.echo(line)
    if not as_json:
        for line in _in_the_database():
            click.echo(line)


@plugins.command()
@click.option(
    "--same-as",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file with the registry digest of another image, to be the same; written where there is none.",
)
@click.option("--pending", is_flag=True, help="List the migrations that the database lacks.")
def check(*, file: Path | None, pending: bool) -> None:
    """Check all that start-up checks, and the URL modules; exit 1 when something is wrong."""
    faults = startup_faults()
    for fault in faults:
        click.echo(f"fault: {fault}")
    if faults:
        raise click.ClickException(f"{len(faults)} fault(s) found")

    found = registry()
    for line in (*_hooks_of_no_entity(), *_what_may_not_be_meant()):
        click.echo(f"warning: {line}")
    if file is not None:
        _agree(file, found.digest())
    if pending:
        for line in _pending():
            click.echo(line)
    click.echo(f"ok: {len(found.active)} plugin(s) active, registry digest {found.digest()}")


def _hooks_of_no_entity() -> Iterator[str]:
    """Yield a sentence for each hook of an entity that the database lacks."""
    try:
        known = set(
            apps.get_model("entity.Entity").objects.filter(is_active=True).values_list("name", flat=True)
        )
    except DatabaseError:
        return  # there is none yet, or it can't be asked
    for record in registry().active:
        if record.plugin is not None:
            for warning in entity_warnings(record.plugin, known, "this database does not have"):
                yield f"{record.label}: {warning.text}"


def _what_may_not_be_meant() -> Iterator[str]:
    """Yield a sentence for each finding of `pagoda-plugin check` that keeps no plugin from starting."""
    for record in registry().active:
        if record.plugin is not None:
            for finding in finding_texts(record.plugin, record.label):
                yield f"{record.label}: {finding}"


def _agree(file: Path, digest: str) -> None:
    if not file.exists():
        file.write_text(digest, encoding="utf-8")
    elif (other := file.read_text(encoding="utf-8").strip()) != digest:
        raise click.ClickException(
            f"The images run different plugins: registry digest {digest} here, {other} in the other. "
            "Build both together (`make images`), and name both by the same tag."
        )


def _pending() -> Iterator[str]:
    try:
        missing = [*missing_of_host(registry()), *missing_of_plugins(registry()).pending]
    except DatabaseError as error:
        yield f"pending migrations: the database can't be asked: {str(error).partition(chr(10))[0]}"
        return
    yield f"pending migrations: {', '.join(missing) or 'none'}"


@plugins.command()
def digest() -> None:
    """Print the registry digest: equal in two processes that run the same plugins."""
    with faults_reported():
        set_up(log_level=QUIET)

    click.echo(registry().digest())


@plugins.command()
def lock() -> None:
    """Print the pins of the enabled plugins as they are installed now, for PLUGIN_LOCK."""
    with faults_reported():
        settings = read_settings()

        chosen = select(settings.enabled_plugins, discover(settings.plugin_examples_dir))
        pins = {one.name: pin_of(one.candidate) for one in chosen if one.candidate is not None}
    click.echo(json.dumps(pins))


@plugins.command(name="sql-grants")
@click.argument("name", metavar="PLUGIN")
def sql_grants(*, name: str) -> None:
    """Print the SQL that gives PLUGIN its account at PostgreSQL, for an owner that may not make roles."""
    from pagoda.database_accounts.applying import plugin_accounts, printed  # late, as below

    with faults_reported():
        set_up(log_level=QUIET)
        plugin_id = registry().get(name).id
    account = next((each for each in plugin_accounts(registry()) if each.plugin_id == plugin_id), None)
    if account is None:
        raise click.ClickException(f"Plugin {plugin_id!r} is not active; `pagoda plugins doctor` says why.")
    for line in printed(account):
        click.echo(line)


@plugins.command()
@click.argument("name", metavar="PLUGIN")
def permissions(name: str) -> None:
    """Show what PLUGIN asks for beside its user's rights, what it was granted, and what it used of that."""
    with faults_reported():
        set_up(log_level=QUIET)
        record = registry().get(name)
    uses: dict[str, PermissionUse] = {}
    with suppress(DatabaseError):  # there is none yet, or it can't be asked
        uses = {
            row.what: row for row in apps.get_model("watching.PermissionUse").objects.filter(plugin=record.id)
        }
    grants = record.grants
    known = {str(each): each for each in (*grants.asked, *grants.granted, *grants.effective)}
    show_table(
        PERMISSION_COLUMNS,
        (
            (
                text,
                _yes(each in grants.asked),
                "yes"
                if each in grants.effective or each in grants.granted
                else "no"
                if each in grants.asked
                else "-",
                _when(uses.get(text), "used_time"),
                _when(uses.get(text), "refused_time"),
            )
            for text, each in sorted((known | {text: None for text in uses if text not in known}).items())
        ),
    )
    if grants.missing:
        line = line_to_add(record.id, grants.missing)
        click.echo(f"\nTo grant what is missing, put into PLUGIN_PERMISSIONS: {line}")
    if grants.unused:
        click.echo(f"\nGranted, though it does not ask for it: {', '.join(map(str, grants.unused))}")


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "-"


def _when(use: PermissionUse | None, field: str) -> str:
    moment = None if use is None else getattr(use, field)
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


@plugins.command()
@click.argument("hook")
@click.option("--entity", default=None, help="Name of the entity that the entry or entity would have.")
def explain(hook: str, entity: str | None) -> None:
    """Show the handlers of HOOK, a hook's name or alias, in execution order, and why each runs or not."""
    with faults_reported():
        set_up(log_level=QUIET)

    try:
        found = explain_hook(registry(), hook, entity)
        name = resolve_hook_name(hook)
    except UnknownHook as error:
        raise click.BadParameter(str(error), param_hint="HOOK") from error
    click.echo(f"{name} for {f'entity {entity!r}' if entity else 'an entity that no handler names'}:")
    if not found:
        click.echo("No enabled plugin handles it.")
    else:
        show_table(EXPLAIN_COLUMNS, map(_explained, found))


def _row(found: Description) -> Sequence[str]:
    return (
        found["id"],
        found["version"] or "-",
        found["status"],
        found["reason_code"] or "-",
        str(len(found["hooks"])),
        str(len(found["tasks"])),
        found["queue"] if found["status"] == "active" else "-",
    )


def _explained(found: Description) -> Sequence[str]:
    runs = str(found["place"]) if found["place"] is not None else "no"
    return (runs, found["plugin"] or "-", found["handler"] or "-", found["reason"])


def _reasons(found: Sequence[Description]) -> Iterator[str]:
    for description in found:
        if description["reason"]:
            yield f"\n{description['id']}: {description['reason']}"
        for fault in description["faults"]:
            yield f"\n{description['id']}: {fault['text']}"


def _in_the_database() -> Iterator[str]:
    """Yield what the database knows and this process does not: other processes' plugins, and former ones."""
    try:
        known = ("", registry().digest())
        others = {each.service for each in live_processes() if each.digest not in known}
        if services := ", ".join(sorted(others)):
            yield (
                f"\nprocesses that run ({services}) have other plugins than this command. Give it their "
                "ENABLED_PLUGINS, PLUGIN_OPERATION_ID_CONFIG and PLUGIN_EXAMPLES_DIR."
            )
        yield from (f"\nleft behind: {one}" for one in left_behind())
    except DatabaseError:
        return  # there is none yet, or it can't be asked: the list needs none

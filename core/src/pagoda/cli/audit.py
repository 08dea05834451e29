"""`pagoda audit`: seal, verify, export and prune the audit log."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pagoda.cli.startup import QUIET, HostGroup, faults_reported, set_up

if TYPE_CHECKING:
    from pagoda.audit.verifying import Verification

UNSEALED_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLog:
    """What the commands do to the log: functions of `pagoda.audit`."""

    seal: Callable[[], int]
    verify: Callable[[str | None], Verification]
    export: Callable[[datetime | None], Iterable[str]]
    prune: Callable[[datetime, Callable[[str], object], Callable[[], object]], int]


@click.group(cls=HostGroup)
@click.pass_context
def audit(context: click.Context) -> None:
    """Seal, verify, export and prune the audit log."""
    with faults_reported():
        set_up(log_level=QUIET)
    from pagoda.audit import archiving, sealing, verifying  # late: models exist only once the host is set up

    context.obj = AuditLog(
        seal=sealing.seal_all,
        verify=verifying.verify,
        export=archiving.exported,
        prune=archiving.prune,
    )


@audit.command()
@click.pass_obj
def seal(log: AuditLog) -> None:
    """Seal what is not sealed yet; the dispatcher does so all the time."""
    click.echo(f"{log.seal()} event(s) sealed")


@audit.command()
@click.option("--head", metavar="NUMBER:HASH", help="A seal that must be part of the chain, from a log.")
@click.pass_obj
def verify(log: AuditLog, head: str | None) -> None:
    """Compute the hash chain again; exit 1 and name the first event or seal that is wrong.

    Events without a seal for longer than a minute, and ids that nothing accounts for, are wrong, too.
    """
    found = log.verify(head)
    if found.fault is not None:
        raise click.ClickException(f"the audit log can't be relied on: {found.fault}")
    click.echo(f"ok: {found.events} event(s) in {found.seals} seal(s), head {found.head or 'none'}")
    if found.unsealed:
        shown = ", ".join(map(str, found.unsealed[:UNSEALED_SHOWN]))
        more = ", ..." if len(found.unsealed) > UNSEALED_SHOWN else ""
        click.echo(
            f"{len(found.unsealed)} event(s) are not sealed yet: {shown}{more}. The dispatcher seals within "
            "seconds; `pagoda audit seal` does it now."
        )


@audit.command()
@click.option("--since", metavar="TIME", help="ISO 8601, such as 2026-01-31 or 2026-01-31T12:00:00+00:00.")
@click.option("--format", "form", type=click.Choice(["jsonl"]), default="jsonl", show_default=True)
@click.pass_obj
def export(log: AuditLog, since: str | None, form: str) -> None:  # noqa: ARG001 - the only form so far
    """Print the events, the oldest first, one JSON object per line in the form that is hashed."""
    for line in log.export(_moment(since, "--since") if since else None):
        click.echo(line)


@audit.command()
@click.option("--before", metavar="TIME", required=True, help="ISO 8601; events from then on stay.")
@click.option(
    "--export",
    "path",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    required=True,
    help="A new file for what is removed: JSON lines, in the form that is hashed.",
)
@click.pass_obj
def prune(log: AuditLog, before: str, path: Path) -> None:
    """Write old events to a file and remove them; an event of the chain keeps their numbers and last hash.

    It needs the rights of the owner of the tables, and writers wait while it removes.
    """
    moment = _moment(before, "--before")
    if (fault := log.verify(None).fault) is not None:
        raise click.ClickException(f"the audit log can't be relied on, so nothing is removed: {fault}")
    try:
        file = path.open("x", encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(
            f"{str(path)!r} can't be made: {error.strerror}", param_hint="--export"
        ) from error
    with file:

        def write(line: str) -> None:
            file.write(line + "\n")

        def secure() -> None:
            file.flush()
            os.fsync(file.fileno())

        removed = log.prune(moment, write, secure)
    click.echo(f"{removed} event(s) removed; they are in {path}")


def _moment(text: str, option: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{text!r} is no time; expected ISO 8601, such as 2026-01-31T12:00:00+00:00", param_hint=option
        ) from error

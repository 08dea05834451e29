"""`pagoda audit`: seal, verify and export the audit log."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from pagoda.cli.startup import QUIET, HostGroup, faults_reported, set_up

UNSEALED_SHOWN = 10


@click.group(cls=HostGroup)
def audit() -> None:
    """Seal, verify and export the audit log."""
    with faults_reported():
        set_up(log_level=QUIET)


@audit.command()
def seal() -> None:
    """Seal what is not sealed yet; the dispatcher does so all the time."""
    from pagoda.audit.sealing import seal_all  # late: models exist only once the host is set up

    click.echo(f"{seal_all()} event(s) sealed")


@audit.command()
@click.option("--head", metavar="NUMBER:HASH", help="A seal that must be part of the chain, from a log.")
def verify(head: str | None) -> None:
    """Compute the hash chain again; exit 1 and name the first event or seal that is wrong."""
    from pagoda.audit.verifying import verify as verified  # late, as above

    found = verified(head)
    if found.fault is not None:
        raise click.ClickException(f"the audit log was tampered with: {found.fault}")
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
def export(since: str | None, form: str) -> None:  # noqa: ARG001 - the only form so far
    """Print the events, the oldest first, one JSON object per line in the form that is hashed."""
    from pagoda.audit.exporting import exported  # late, as above

    for line in exported(_moment(since) if since else None):
        click.echo(line)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is no time; expected ISO 8601, such as 2026-01-31T12:00:00+00:00", param_hint="--since"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

"""`pagoda alerts`: what fires, and whether notices arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from django.apps import apps

from pagoda.cli.startup import QUIET, HostGroup, faults_reported, read_settings, set_up
from pagoda.cli.tables import show_table

if TYPE_CHECKING:
    from pagoda.watching.models import AlertState

COLUMNS = ("RULE", "SUBJECT", "STATE", "SINCE", "TOLD", "TEXT")


@click.group(cls=HostGroup)
def alerts() -> None:
    """Look at alerts and try their notices."""
    with faults_reported():
        set_up(log_level=QUIET)


@alerts.command(name="list")
@click.option("--all", "with_resolved", is_flag=True, help="Those that are over, too.")
def list_alerts(*, with_resolved: bool) -> None:
    """List the alerts that fire."""
    states = apps.get_model("watching", "AlertState").objects.order_by("rule", "subject")
    found = list(states if with_resolved else states.filter(is_firing=True))
    if not found:
        click.echo("No alerts." if with_resolved else "No alert fires.")
        return
    show_table(COLUMNS, map(_row, found))


@alerts.command()
def test() -> None:
    """Send a notice to every address in ALERT_URLS; exit 1 when one does not take it."""
    from pagoda.watching.alerts.notifying import Notice, deliver  # late: models exist only now

    text = "A test of the alerts: `pagoda alerts test` was called."
    found = list(deliver(read_settings(), Notice(title="[TEST] Pagoda", text=text, kind="info")))
    if not found:
        raise click.ClickException("ALERT_URLS is empty: nobody would be told. Set it to Apprise URLs.")
    for one in found:
        click.echo(f"{one.address}: {'sent' if one.is_sent else 'FAILED'}")
    if failed := sum(not one.is_sent for one in found):
        raise click.ClickException(f"{failed} of {len(found)} address(es) did not take the notice")


def _row(state: AlertState) -> tuple[str, ...]:
    told = "silenced" if state.is_silenced else "yes" if state.is_told else f"no, {state.tries} tries"
    status = "firing" if state.is_firing else "resolved"
    return (state.rule, state.subject, status, f"{state.changed_at:%Y-%m-%d %H:%M:%S}", told, state.text)

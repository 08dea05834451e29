"""`pagoda plugins retry|dry-run|silence|switches|processes`: what operators do, and see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
from django.core.exceptions import ValidationError

from pagoda.cli.startup import QUIET, faults_reported, set_up
from pagoda.cli.tables import show_table
from pagoda.fencing import breaker_states
from pagoda.fencing.outcomes import SURFACES
from pagoda.fencing.store import StoreUnavailable
from pagoda.fencing.switches import SwitchKind
from pagoda.plugins.registry import registry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from pagoda.watching.live_processes import LiveProcess

SWITCH_COLUMNS = ("PLUGIN", "SWITCH", "SINCE", "UNTIL", "BY", "REASON")
PROCESS_COLUMNS = ("SERVICE", "QUEUE", "HOST", "PID", "SINCE", "LAST SEEN", "DIGEST", "")

_SECONDS = {"m": 60, "h": 3600, "d": 86_400}


class _Span(click.ParamType[timedelta]):
    """A span of time as people write it."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the span; click calls it. Any: what was typed."""
        found = re.fullmatch(r"(\d{1,6})([mhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is no span: give minutes, hours or days, such as 30m, 8h or 1d", param, ctx)
        return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def live_processes() -> Sequence[LiveProcess]:
    """Return the live processes of a host that is set up."""
    found: Sequence[LiveProcess] = _services()[1].live_processes(None)
    return found


@click.command()
@click.argument("name", metavar="PLUGIN")
@click.option("--surface", type=click.Choice(SURFACES), help="This alone, not all that are out of service.")
def retry(*, name: str, surface: str | None) -> None:
    """Let the next call of PLUGIN through, in whichever process it comes, before the cool-down is over."""
    with _host():
        plugin_id = registry().get(name).id
        out = [each for each in breaker_states() if each.plugin == plugin_id and each.state != "closed"]
        chosen = [surface] if surface is not None else [each.surface for each in out]
        if not chosen:
            click.echo(f"Nothing of plugin {plugin_id!r} is out of service.")
        for each in chosen:
            _services()[0].retry_breaker(None, plugin_id, each)
            click.echo(f"{plugin_id} {each}: the next call is let through")


def _switching(name: str, kind: SwitchKind, text: str) -> click.Command:
    @click.command(name=name, help=text)
    @click.argument("plugin", metavar="PLUGIN")
    @click.option("--for", "lasts", type=_Span(), help="Such as 30m, 8h or 1d; without: until --undo.")
    @click.option("--reason", help="For those who wonder later.")
    @click.option("--undo", is_flag=True, help="Switch it off.")
    def switch(*, plugin: str, lasts: timedelta | None, reason: str | None, undo: bool) -> None:
        if undo and (lasts is not None or reason is not None):
            raise click.UsageError("--undo goes with neither --for nor --reason")
        with _host():
            if undo:
                was_on = _services()[0].switch_off(None, plugin, kind.value)
                click.echo(f"{plugin}: {name} is off" if was_on else f"{plugin}: {name} was not on")
            elif reason is None:
                raise click.UsageError("give a --reason, or --undo")
            else:
                made = _services()[0].switch_on(None, plugin, kind.value, lasts=lasts, reason=reason)
                click.echo(f"{made.plugin}: {name} is on, until {_moment(made.until) or 'it is undone'}")

    return switch


dry_run = _switching(
    *("dry-run", SwitchKind.DRY_RUN),
    "Let PLUGIN's breakers decide and tell, and take nothing of it out of service.",
)
silence = _switching(
    *("silence", SwitchKind.SILENCE),
    "Send nobody a notice of PLUGIN's alerts; they are logged, and what fires still is told at the end.",
)


@click.command()
def switches() -> None:
    """List what is switched on for plugins, until when, by whom and why."""
    with _host():
        found = _services()[0].switches(None)
        rows = [
            (one.plugin, one.kind, _moment(one.since), _moment(one.until) or "-", one.actor, one.reason)
            for one in found
        ]
    if rows:
        show_table(SWITCH_COLUMNS, rows)
    else:
        click.echo("Nothing is switched on.")


@click.command()
def processes() -> None:
    """List the live processes with the digest of what each has loaded, those that differ first."""
    with _host():
        found = live_processes()
    if not found:
        click.echo("No process lives.")
        return
    show_table(PROCESS_COLUMNS, map(_process, found))
    if any(each.differs for each in found):
        click.echo("\nGive all the same plugins, versions and PLUGIN_OPERATION_ID_CONFIG, and restart them.")


@contextmanager
def _host() -> Iterator[None]:
    with faults_reported():
        set_up(log_level=QUIET)
        try:
            yield
        except ValidationError as error:
            raise click.ClickException(" ".join(error.messages)) from error
        except StoreUnavailable as error:
            raise click.ClickException(f"The shared rows of breakers can't be used: {error}.") from error


def _services() -> tuple[ModuleType, ModuleType]:
    from pagoda.watching import live_processes, operating  # late: models exist once Django is set up

    return operating, live_processes


def _process(each: LiveProcess) -> Sequence[str]:
    mark = "differs" if each.differs else ""
    since, seen = _moment(each.started_at), _moment(each.seen_at)
    return (each.service, each.queue or "-", each.host, str(each.pid), since, seen, each.digest[:12], mark)


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"

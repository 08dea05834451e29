"""`pagoda health`: readiness of the host and how each plugin is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from pagoda.cli.startup import QUIET, faults_reported, set_up
from pagoda.cli.tables import show_table
from pagoda.plugins.migrations import report_missing
from pagoda.plugins.registry import registry

COLUMNS = ("PLUGIN", "STATUS", "LOAD", "ENDPOINT", "HOOK", "TASK", "QUEUE", "WORKERS")
SURFACES = ("load", "endpoint", "hook", "task")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print all that is known, as JSON.")
def health(*, as_json: bool) -> None:
    """Show how the host and its plugins are; exit 1 when something fails."""
    with faults_reported():
        set_up(log_level=QUIET)
    # Late: models exist only once the host is set up
    from pagoda.health import checks as of_host
    from pagoda.health import plugins as of_plugins

    checks = of_host.run_checks()
    has_database = all(check.is_ok for check in checks if check.name in ("database", "migrations"))
    if has_database:
        report_missing(registry())
    plugins = [plugin.to_json() for plugin in of_plugins.plugin_health()] if has_database else []
    if as_json:
        click.echo(
            json.dumps({"checks": {c.name: c.to_json() for c in checks}, "plugins": plugins}, indent=2)
        )
    else:
        for check in checks:
            click.echo(f"{check.name}: {check.status.value}, {check.text}")
        _show(plugins)
    if not all(check.is_ok for check in checks) or any(p["status"] == "failing" for p in plugins):
        raise click.exceptions.Exit(1)


def _show(plugins: Sequence[dict[str, Any]]) -> None:
    click.echo()
    show_table(COLUMNS, map(_row, plugins))
    for plugin in plugins:
        for surface in SURFACES:
            if plugin[surface]["text"]:
                click.echo(f"\n{plugin['id']}, {surface}: {plugin[surface]['text']}")


def _row(plugin: dict[str, Any]) -> Sequence[str]:
    task = plugin["task"]
    waiting = f"{task['queue_depth']} ({task['queue_age_seconds']:.0f} s)" if task["queue_depth"] else "0"
    statuses = [plugin[surface]["status"] for surface in SURFACES]
    return (plugin["id"], plugin["status"], *statuses, waiting, str(task["workers"]))

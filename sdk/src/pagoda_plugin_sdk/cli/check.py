"""`pagoda-plugin check`: what is wrong with plugins, as far as it can be known without a host."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from pagoda_plugin_sdk.checking.reports import check_projects
from pagoda_plugin_sdk.cli.processes import with_env_file


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[FOLDER]...")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def check(*, folders: tuple[Path, ...], as_json: bool) -> None:
    """Check the plugin in this folder, or those in each FOLDER; exit 1 when something is wrong.

    Settings are those of PLUGIN_SETTINGS in the environment or .env, else of [tool.pagoda.settings] in
    pyproject.toml; ranges of operation ids are looked at where they are set. A warning is no fault.
    """
    found = check_projects({folder: with_env_file(folder) for folder in folders or (Path(),)})
    faults = sum(not finding.is_warning for each in found for finding in each.findings)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(each) for each in found], indent=2))
    for each in () if as_json else found:
        for finding in each.findings:
            kind = "warning" if finding.is_warning else "fault"
            click.echo(f"{each.label}: {kind}: {finding.text} [{finding.code}]")
        if not each.findings:
            click.echo(f"{each.label}: ok")
    if faults:
        raise click.ClickException(f"{faults} fault(s) found")

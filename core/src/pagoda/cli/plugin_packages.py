"""`pagoda plugins install` and `remove`: a plugin's distribution in the host's environment, and its data."""

from __future__ import annotations

from pathlib import Path

import click

from pagoda.cli.startup import QUIET, faults_reported, read_settings, set_up
from pagoda.plugins.discovery import discover
from pagoda.plugins.installing import install, uninstall, write_lock
from pagoda.plugins.registry import registry
from pagoda.plugins.remains import remains_of
from pagoda_plugin_sdk.exceptions import PluginLoadError, near_misses

LOCK_OPTION = click.option(
    "--lock",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of pins as PLUGIN_LOCK takes them; by default plugins.lock in the data folder.",
)


@click.command(name="install")
@click.argument("source", metavar="WHEEL|FOLDER|NAME==VERSION")
@LOCK_OPTION
def install_plugin(*, source: str, lock: Path | None) -> None:
    """Install a plugin beside the host by pip or uv, and write its pin into the lock file.

    What the host has installed stays as it is.
    """
    with faults_reported():
        settings = read_settings()
        path = lock or settings.pagoda_data_dir / "plugins.lock"
        write_lock(path)  # a file that is none is told before anything is installed
        found = install(source)
        write_lock(path, found)
    for each in found:
        click.echo(
            f"Installed {each.distribution.name} {each.distribution.version} with plugin {each.name!r}."
        )
    click.echo(f"Pinned in {path}; PLUGIN_LOCK takes its content.")
    missing = [each.name for each in found if each.name not in settings.enabled_plugins]
    if missing:
        enabled = ",".join((*settings.enabled_plugins, *missing))
        click.echo(
            f"Next: set ENABLED_PLUGINS={enabled}, give each a range in PLUGIN_OPERATION_ID_CONFIG where it"
        )
        click.echo(
            "has tasks, run `pagoda plugins check` and `pagoda migrate`, and start the processes anew."
        )


@click.command(name="remove")
@click.argument("name", metavar="PLUGIN")
@click.option("--purge", is_flag=True, help="Remove its tables and jobs for good, too.")
@click.option(
    "--export",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write its rows and jobs into this new file first.",
)
@click.option("--yes", is_flag=True, help="Don't ask.")
@LOCK_OPTION
def remove_plugin(*, name: str, purge: bool, export: Path | None, yes: bool, lock: Path | None) -> None:
    """Take a plugin out of the host's environment; tell first what stays and what goes.

    Installed again, it finds everything as it left it, unless it was purged.
    """
    with faults_reported():
        set_up(log_level=QUIET)
        settings = read_settings()
        catalogue = discover(settings.plugin_examples_dir)
        found = catalogue.find(name)
        if not found:
            raise PluginLoadError(
                f"No plugin {name!r} is installed.{near_misses(name, catalogue.names())} "
                "`pagoda plugins list` shows what is enabled, and what others have left in the database."
            )
        candidate = found[0]
        remains = remains_of(registry(), settings, candidate.name, candidate.facts().id or candidate.name)
        is_active = any(each.id == remains.plugin_id for each in registry().active)
        if (purge or export is not None) and not is_active:
            raise PluginLoadError(
                f"Plugin {name!r} is not active here, so its tables are not known. Enable it for this "
                f"command: ENABLED_PLUGINS={candidate.name}."
            )
        dist = candidate.distribution
        place = f"stays, it is a folder of PLUGIN_EXAMPLES_DIR: {dist.folder}" if dist.is_example else "goes"
        click.echo(f"distribution {dist.name} {dist.version}: {place}")
        others = [each.name for each in catalogue.candidates if each.distribution.name == dist.name]
        if len(others) > 1:
            click.echo(f"  and with it the plugins {', '.join(others)}")
        for line in remains.told(is_purged=purge):
            click.echo(line)
        if not yes:
            click.confirm(f"Remove {name!r}{', for good' if purge else ''}?", abort=True)
        if export is not None:
            remains.export(export)
            click.echo(f"Exported to {export}.")
        if purge:
            remains.purge()
        if not dist.is_example:
            uninstall(dist.name)
            write_lock(lock or settings.pagoda_data_dir / "plugins.lock", gone=others)
    click.echo(f"Removed {name!r}. Take it out of ENABLED_PLUGINS and start the processes anew.")

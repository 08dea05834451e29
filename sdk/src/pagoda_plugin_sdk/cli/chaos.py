"""`pagoda-plugin chaos`: what the code of a plugin leaves behind when the host does not let them finish."""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from pagoda_plugin_sdk.project import PluginProject, read_project, tool_faults
from pagoda_plugin_sdk.testing.starting import examples_of, start


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--params",
    "given",
    multiple=True,
    metavar="TASK=JSON",
    help="Params of a task's job, instead of those in pyproject.toml.",
)
@click.option("--places", default=12, show_default=True, help="How many places per fault are hit, at most.")
@click.option("--patience", default=60.0, show_default=True, help="How many seconds one try may take.")
@click.option("--json", "as_json", is_flag=True, help="Print what was seen as JSON.")
def chaos(
    *, names: tuple[str, ...], given: tuple[str, ...], places: int, patience: float, as_json: bool
) -> None:
    """Run handlers, tasks, endpoints and overrides, or those with NAME in theirs, under what a host can do.

    Each is cut off, cancelled at its checkpoints, run twice, left without its database, and has its
    transaction rolled back, on a real host with a database of its own. Exit 1 when something is left behind,
    or one of them could not be run. pyproject.toml may say what they work on, in [tool.pagoda.chaos]:
    `params` ({task = {...}}), `entries` ({Entity = {attribute = value}}), `bodies` ({"POST path/" = {...}}),
    `override_params` and `keeps`, tables in which a part of the work may stay.
    """
    project = read_project(Path.cwd())
    if faults := list(tool_faults(project.tool)):
        raise click.ClickException(f"pyproject.toml: {'; '.join(faults)}")
    options = {**project.tool.get("chaos", {})}
    options["params"] = {**options.get("params", {}), **dict(map(_params, given))}
    sys.path.insert(0, str(project.source.absolute()))
    with tempfile.TemporaryDirectory(prefix="pagoda-plugin-") as made:
        own = tuple(project.entry_points)
        values = project.tool.get("settings", {})
        start(Path(made), own, values, examples_of(project.name, project.folder))
        trials = _tried(project, own, options, (places, patience), names, tell=not as_json)
    if as_json:
        click.echo(json.dumps(trials, indent=2))
    left = sum(bool(trial["left"]) for trial in trials)
    missed = sum(bool(trial["why_not"]) and not trial["is_fault_unfit"] for trial in trials)
    if left or missed or not trials:
        found = [f"{left} time(s) something was left behind"] if left else []
        found += [f"{missed} could not be run"] if missed else []
        raise click.ClickException("; ".join(found) or "there is no such handler, task, endpoint or override")
    if not as_json:
        click.echo("nothing was left behind")


def _tried(
    project: PluginProject,
    own: tuple[str, ...],
    options: Mapping[str, Any],
    bounds: tuple[int, float],
    names: tuple[str, ...],
    *,
    tell: bool,
) -> list[dict[str, Any]]:
    """Try within bounds of places and seconds, telling of each trial; return them as JSON values."""
    host = import_module("pagoda_api.testing.chaos")  # by name: the SDK knows no host
    trials: list[dict[str, Any]] = []
    seed = str(project.tool.get("seed", ""))
    for trial in host.tried(
        own, seed, options, most_places=bounds[0], patience_seconds=bounds[1], only=names
    ):
        if tell and (not trials or trials[-1]["subject"] != trial.subject):
            click.echo(trial.subject)
        trials.append(dataclasses.asdict(trial))
        if tell:
            count = f" at {trial.places} places" if trial.places > 1 else ""
            told = "left behind:" if trial.left else "nothing left" if trial.places else "not run:"
            click.echo(
                "\n    ".join([f"  {trial.fault}{count}: {told} {trial.why_not}".rstrip(), *trial.left])
            )
    return trials


def _params(given: str) -> tuple[str, Any]:
    name, separator, text = given.partition("=")
    try:
        params = json.loads(text) if separator else None
    except ValueError:
        params = None
    if not isinstance(params, dict):
        raise click.ClickException(f"--params is {given!r}, expected a task's name, =, and a JSON object.")
    return name, params

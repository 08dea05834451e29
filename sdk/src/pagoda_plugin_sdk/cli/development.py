"""The settings of the host that `pagoda-plugin dev` starts: what the author leaves open is chosen."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

import click

from pagoda_plugin_sdk.checking.source import may_have_tasks
from pagoda_plugin_sdk.cli.processes import environment_of, with_env_file
from pagoda_plugin_sdk.operation_ranges import HIGHEST, LOWEST
from pagoda_plugin_sdk.project import ENTRY_POINTS, PluginProject

FIRST_PORT = 8000
IDS_EACH = 100


def development_environment(project: PluginProject) -> dict[str, str]:
    """Return the variables for the host's processes: those of this one and of ``.env``, and defaults.

    Raises:
        click.ClickException: one of those that are looked at is no JSON object.
    """
    environ = with_env_file(project.folder) | {"PYTHONPATH": environment_of(project)["PYTHONPATH"]}
    given = {name: value for name, value in environ.items() if value.strip()}
    own = list(project.entry_points)
    with_tasks = [
        name
        for name, target in project.entry_points.items()
        if may_have_tasks(target.partition(":")[0].strip(), str(project.source))
    ]
    ranges = _mapping(given, "PLUGIN_OPERATION_ID_CONFIG")
    values = _mapping(given, "PLUGIN_SETTINGS")
    defaults = {
        "API_BIND": f"127.0.0.1:{_free_port()}",
        "API_WORKERS": "1",
        "ENABLED_PLUGINS": ",".join(own),
        "PAGODA_DATA_DIR": str((project.folder / ".pagoda").absolute()),
        "PAGODA_LOG_FORMAT": "console",
        "PAGODA_PLUGIN_STRICT": "true",  # a plugin at fault is told at once
        "PLUGIN_EXAMPLES_DIR": "" if _is_installed(own) else str(project.folder.absolute()),
        "PYTHONDONTWRITEBYTECODE": "1",  # an edit of the same second and size passes for what was compiled
        "PYTHONUNBUFFERED": "1",
    }
    chosen = {
        "PAGODA_ENV_FILE": "",  # it is read here
        "PLUGIN_OPERATION_ID_CONFIG": json.dumps(with_own_ranges(ranges, with_tasks)),
    }
    if own and "settings" in project.tool and not set(own) & set(values):
        chosen["PLUGIN_SETTINGS"] = json.dumps({**values, own[0]: project.tool["settings"]})
    return {**environ, **defaults, **given, **chosen}


def with_own_ranges(ranges: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """Return the ranges of operation ids, with a free one for each of `names` that has none."""
    found = dict(ranges)
    for name in names:
        if name in found:
            continue
        taken = [tuple(each) for each in found.values() if isinstance(each, list) and len(each) == 2]
        first = LOWEST
        while any(low <= first + IDS_EACH - 1 and first <= high for low, high in taken):
            first += IDS_EACH
        if first + IDS_EACH - 1 > HIGHEST:
            raise click.ClickException(
                f"PLUGIN_OPERATION_ID_CONFIG leaves no {IDS_EACH} ids for {name!r}. Give it a range there."
            )
        found[name] = [first, first + IDS_EACH - 1]
    return found


def _mapping(environ: Mapping[str, str], name: str) -> dict[str, Any]:
    try:
        value = json.loads(environ.get(name, "{}"))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise click.ClickException(f"{name} is {environ[name]!r}, expected a JSON object.")
    return value


def _is_installed(names: list[str]) -> bool:
    return set(names) <= {point.name for point in entry_points(group=ENTRY_POINTS)}


def _free_port() -> int:
    for port in range(FIRST_PORT, FIRST_PORT + 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise click.ClickException(f"The ports {FIRST_PORT}-{FIRST_PORT + 99} are taken. Set API_BIND.")

"""Check plugin projects, each in a process of its own, and what they mean to each other."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import entry_points
from pathlib import Path

from pagoda_plugin_sdk.checking.examining import Examined
from pagoda_plugin_sdk.checking.findings import CheckFinding
from pagoda_plugin_sdk.checking.source import read_class
from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.project import ENTRY_POINTS

LONGEST_SECONDS = 120.0


def check_projects(projects: Mapping[Path, Mapping[str, str]]) -> list[Examined]:
    """Return what is known of the projects ``{folder: environment to examine it in}``."""
    found = [_examined(folder, environ) for folder, environ in projects.items()]
    _compare(found)
    return found


def _examined(folder: Path, environ: Mapping[str, str]) -> Examined:
    with tempfile.TemporaryDirectory(prefix="pagoda-plugin-") as made:
        report = Path(made) / "report.json"
        command = [sys.executable, "-m", "pagoda_plugin_sdk.checking", str(folder.absolute()), str(report)]
        try:
            ended = subprocess.run(  # noqa: S603 - our own command line, no shell
                command,
                env=dict(environ),
                capture_output=True,
                text=True,
                check=False,
                timeout=LONGEST_SECONDS,
            )
            last = (ended.stderr.strip().splitlines() or [""])[-1]
            how = f"exit status {ended.returncode}. {last}"
        except subprocess.TimeoutExpired:
            how = f"it took longer than {LONGEST_SECONDS:g} s"
        if not report.is_file():
            fault = CheckFinding(code="import_failed", text=f"Loading it ends the process: {how}")
            return Examined(label=folder.absolute().name, findings=[fault])
        told = json.loads(report.read_text(encoding="utf-8"))
        return Examined(**{**told, "findings": [CheckFinding(**each) for each in told["findings"]]})


def _compare(found: list[Examined]) -> None:
    """Add what is wrong with the projects together."""
    holders: defaultdict[str, list[Examined]] = defaultdict(list)
    for each in found:
        for name in each.names:
            holders[name].append(each)
    for name, claimed in holders.items():
        labels = " and ".join(each.label for each in claimed)
        for each in claimed if len(claimed) > 1 else ():
            each.add("duplicate_name", f"The name {name!r} is claimed by {labels}. Give one another.")
    known = {*holders, *_installed_names()}
    for each in found:
        for name in dict.fromkeys(name for names in each.needs.values() for name in names):
            if name not in known:
                each.add(
                    "dependency_missing",
                    f"It depends on plugin {name!r}, which is not installed.{near_misses(name, known)} "
                    "Install it, or correct the name.",
                )
        for name in dict.fromkeys(each.called):
            if name not in known:
                each.add(
                    "unknown_plugin",
                    f"`permissions` has 'job:submit:{name}', and no plugin {name!r} is installed."
                    f"{near_misses(name, known)} Correct the name, or install it.",
                    is_warning=True,
                )
    _find_circles(found)


def _find_circles(found: list[Examined]) -> None:
    needed = {name: list(names) for each in reversed(found) for name, names in each.needs.items()}
    while True:
        try:
            TopologicalSorter(needed).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1]
        else:
            return
        for each in found:
            if set(circle) & set(each.needs):
                needed |= {name: [] for name in each.needs}
                text = f"It depends on itself: {' -> '.join(circle)}. Take one dependency out."
                each.add("dependency_cycle", text)


def _installed_names() -> Iterator[str]:
    for point in entry_points(group=ENTRY_POINTS):
        yield point.name
        if (found := read_class(point.module, point.attr, "")).id is not None:
            yield found.id

"""Find plugins: entry points of installed distributions, and projects in the examples folder.

Only metadata is read here; no plugin code runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from pagoda.plugins.candidates import Candidate, Catalogue, DistributionFacts, Unreadable, without_repeats
from pagoda.plugins.fence import describe
from pagoda.plugins.records import Fault, ReasonCode
from pagoda_plugin_sdk.exceptions import PluginValidationError
from pagoda_plugin_sdk.project import ENTRY_POINTS, read_project

_HEADER = f"[{ENTRY_POINTS}]"
_ENTRY = re.compile(r"\s*(?P<name>[^=\[#;]+?)\s*=\s*(?P<target>[\w.]+(\s*:\s*[\w.]+)?(\s*\[.*\])?)\s*")
_HEADERS = re.compile(r"^(Name|Version|Requires-Dist|Requires-Python):(.*)$", re.MULTILINE)


def discover(examples: Path | None = None) -> Catalogue:
    """Return all plugins that could be enabled, installed ones first, each kind by distribution name."""
    faults = _folder_faults(examples)
    installed = sorted(
        _installed(), key=lambda item: item.sort_key
    )  # the order of folders is nobody's choice
    found = [*installed, *(_examples(examples.absolute()) if examples is not None else ())]
    return Catalogue(
        faults=faults,
        candidates=without_repeats(item for item in found if isinstance(item, Candidate)),
        unreadable=tuple(item for item in found if isinstance(item, Unreadable)),
    )


def _installed() -> Iterator[Candidate | Unreadable]:
    """Yield the plugins of installed distributions.

    `metadata.entry_points()` would parse the entry points of every distribution, at twice the cost, and
    one unreadable distribution would hide all others.
    """
    for distribution in metadata.distributions():
        try:
            text = distribution.read_text("entry_points.txt") or ""
        except Exception as error:  # noqa: BLE001 - the fence, as below
            yield _unreadable(_directory_name(distribution), "", f"entry_points.txt: {describe(error)}")
            continue
        if _HEADER in text:
            yield from _of_distribution(distribution, text)


def _of_distribution(distribution: metadata.Distribution, text: str) -> Iterator[Candidate | Unreadable]:
    try:
        facts = _installed_facts(distribution)
        entries = list(_entries(text))
    except Exception as error:  # noqa: BLE001 - the fence: one distribution must not hide all others
        yield _unreadable(_directory_name(distribution), text, str(error))
        return
    for entry, target in entries:
        yield Candidate(name=entry, target=target, distribution=facts)


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Yield ``(name, target)`` of our group in the text of an entry_points.txt."""
    inside = False
    for line in text.splitlines():
        if line.startswith("["):
            inside = line.strip() == _HEADER
        elif inside and line.strip() and not line.lstrip().startswith(("#", ";")):
            yield _entry(line)


def _entry(line: str) -> tuple[str, str]:
    match = _ENTRY.fullmatch(line)
    if match is None:
        raise ValueError(f"entry point {line.strip()!r} is not of the form 'name = package.module:Class'")
    return match["name"], match["target"]


def _installed_facts(distribution: metadata.Distribution) -> DistributionFacts:
    """Read the few headers that are needed.

    `distribution.metadata` builds an e-mail message of the whole file, five times the cost per plugin.
    """
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    headers: dict[str, list[str]] = {}
    for name, value in _HEADERS.findall(text.split("\n\n", 1)[0]):
        headers.setdefault(name, []).append(value.strip())
    for required in ("Name", "Version"):
        if not headers.get(required, [""])[0]:
            raise ValueError(f"its metadata has no {required!r}")
    return DistributionFacts(
        name=headers["Name"][0],
        version=headers["Version"][0],
        requires=tuple(headers.get("Requires-Dist", ())),
        requires_python=headers.get("Requires-Python", [""])[0],
        folder=str(distribution.locate_file("")),
    )


def _directory_name(distribution: metadata.Distribution) -> str:
    """Return a name for a distribution whose metadata may be broken: that of its metadata folder."""
    folder = getattr(distribution, "_path", None)  # the only trace of one without a Name
    return Path(str(folder)).name.partition("-")[0] if folder is not None else "unknown"


def _folder_faults(folder: Path | None) -> tuple[Fault, ...]:
    if folder is None or folder.is_dir():
        return ()
    text = f"PLUGIN_EXAMPLES_DIR is {str(folder)!r}, which is no folder. Correct it or remove the setting."
    return (Fault(code=ReasonCode.NOT_FOUND, text=text),)


def _examples(folder: Path) -> Iterator[Candidate | Unreadable]:
    """Yield the plugins of the projects in `folder`, or of the one that it is."""
    for path in sorted(folder.glob("pyproject.toml")) or sorted(folder.glob("*/pyproject.toml")):
        yield from _example(path.parent)


def _example(folder: Path) -> Iterator[Candidate | Unreadable]:
    try:
        project = read_project(folder)
    except PluginValidationError as error:
        yield _unreadable(folder.name, "", str(error))
        return
    facts = DistributionFacts(
        name=project.name,
        version=project.version,
        requires=project.requires,
        requires_python=project.requires_python,
        folder=str(project.source),
        is_example=True,
    )
    for name, target in project.entry_points.items():
        yield Candidate(name=name, target=target, distribution=facts)


def _unreadable(name: str, text: str, fault: str) -> Unreadable:
    sentence = f"The metadata of distribution {name!r} can't be read: {fault}. Reinstall or remove it."
    return Unreadable(name=name, text=text, fault=sentence)

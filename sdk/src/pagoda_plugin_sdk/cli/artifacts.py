"""What a plugin's wheel and sdist must hold, so that a host that installs them finds a whole plugin."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pagoda_plugin_sdk.project import ENTRY_POINTS, PluginProject

SDK = "pagoda-plugin-sdk"
_WANTED = {"summary": "description", "description-content-type": "readme", "license-expression": "license"}
"""``{header of the metadata: field of [project]}``"""

_LONGEST_LABEL = 32
_URL = re.compile(r"https?://[^\s/]+(/\S*)?", re.IGNORECASE)

_LEFT_OUT = "Is it left out by .gitignore or by the build's settings?"
_STRAY = re.compile(r"(tests?|docs?|examples?)/|conftest\.py$|\.env")


def wheel_faults(path: Path, project: PluginProject) -> Iterator[str]:
    """Yield a sentence for each thing that the wheel lacks or should not hold."""
    with zipfile.ZipFile(path) as wheel:
        names = {name for name in wheel.namelist() if not name.endswith("/")}
        info = next(name.partition("/")[0] for name in names if ".dist-info/" in name)
        yield from _metadata_faults(path, wheel.read(f"{info}/METADATA").decode())
        points = ConfigParser(delimiters=("=",), interpolation=None)
        points.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
        if f"{info}/entry_points.txt" in names:
            points.read_string(wheel.read(f"{info}/entry_points.txt").decode())
    targets = dict(points.items(ENTRY_POINTS)) if points.has_section(ENTRY_POINTS) else {}
    if not targets:
        yield f'{path.name} has no entry point of the group "{ENTRY_POINTS}": no host would find the plugin.'
    for name, target in targets.items():
        stem = target.partition(":")[0].strip().replace(".", "/")
        if not {f"{stem}.py", f"{stem}/__init__.py"} & names:
            yield f"{path.name} lacks the module of entry point {name} = {target}. Add it to the build."
    yield from _content_faults(path, project, names)


def sdist_faults(path: Path, project: PluginProject) -> Iterator[str]:
    """Yield a sentence for each thing that the sdist lacks: a wheel is made out of it."""
    with tarfile.open(path) as archive:
        names = {str(PurePosixPath(*PurePosixPath(name).parts[1:])) for name in archive.getnames()}
    wanted = [
        name for name in ("pyproject.toml", "README.md", "LICENSE") if (project.folder / name).is_file()
    ]
    sources = project.source.relative_to(project.folder)
    wanted += [str(sources / name) for name in _sources(project)]
    if missing := [name for name in wanted if PurePosixPath(name).as_posix() not in names]:
        yield f"{path.name} lacks {_listed(missing)}. {_LEFT_OUT}"


def _metadata_faults(path: Path, text: str) -> Iterator[str]:
    headers = Parser().parsestr(text, headersonly=True)
    for header, field in _WANTED.items():
        if not headers.get(header) and not (field == "license" and headers.get("license")):
            yield f"{path.name} has no {field}. Give [project] of pyproject.toml a `{field}`."
    for told in headers.get_all("project-url", ()):
        label, _, url = (part.strip() for part in told.partition(","))
        if len(label) > _LONGEST_LABEL or not _URL.fullmatch(url):
            text = (
                f"{path.name} has the URL {label!r} = {url!r}. Correct [project.urls]: an index takes labels "
            )
            yield f"{text}of at most {_LONGEST_LABEL} characters, and addresses with http:// or https://."
    requires = [Requirement(each) for each in headers.get_all("requires-dist", ())]
    if not any(canonicalize_name(each.name) == SDK and each.marker is None for each in requires):
        yield f"{path.name} does not require {SDK}: no host knows whether it fits. Add it to `dependencies`."


def _content_faults(path: Path, project: PluginProject, names: set[str]) -> Iterator[str]:
    if missing := [name for name in _sources(project) if name not in names]:
        yield f"{path.name} lacks {_listed(missing)}. {_LEFT_OUT}"
    if strays := sorted(filter(_STRAY.match, names)):
        yield f"{path.name} holds {_listed(strays)}, which each host would install. Leave it out."
    if not any(".dist-info/" in name and "license" in name.lower() for name in names):
        yield f"{path.name} holds no licence. Add a LICENSE file, and `license-files` to [project]."


def _sources(project: PluginProject) -> list[str]:
    """Return the files of the plugin's packages that a host needs, relative to the source folder."""
    packages = {re.split(r"[.:]", target)[0] for target in project.entry_points.values()}
    found = [
        path
        for package in packages
        for path in (project.source / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    ]
    return sorted(path.relative_to(project.source).as_posix() for path in found)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")

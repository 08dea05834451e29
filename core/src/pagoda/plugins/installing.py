"""Put a plugin's distribution into the environment that the host runs in, or take it out, by uv or pip.

What is installed already stays as it is: the installer refuses a plugin that needs another version of it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Sequence
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from pagoda.plugins.candidates import Candidate
from pagoda.plugins.discovery import discover
from pagoda.plugins.lock import pin_of
from pagoda_plugin_sdk.exceptions import PluginLoadError
from pagoda_plugin_sdk.project import ENTRY_POINTS

WANTED = "expected a wheel, a folder with a pyproject.toml, or name==version"


def install(source: str) -> tuple[Candidate, ...]:
    """Install a wheel, a folder or ``name==version``; return the plugins that it brings.

    Raises:
        PluginLoadError: it is none of these or brings no plugin, or the installer refuses; nothing is left.
    """
    name = canonicalize_name(_name_of(source))
    before = {canonicalize_name(each.name): each.version for each in distributions() if each.name}
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "constraints.txt"
        pins = [f"{other}=={version}\n" for other, version in sorted(before.items()) if other != name]
        kept.write_text("".join(pins), encoding="utf-8")
        _run("install", "--constraint", str(kept), source)
    found = installed(name)
    if not found:
        if name not in before:
            _run("uninstall", name)
        raise PluginLoadError(
            f"{source!r} brings no plugin: its distribution {name!r} has no entry point of the group "
            f"{ENTRY_POINTS!r}. It is not installed."
        )
    return found


def uninstall(distribution: str) -> None:
    """Take a distribution out of the environment; what it needed stays.

    Raises:
        PluginLoadError: the installer refuses.
    """
    _run("uninstall", distribution)


def installed(name: str) -> tuple[Candidate, ...]:
    """Return the plugins that a distribution brings as it is installed now."""
    wanted = canonicalize_name(name)
    return tuple(
        each for each in discover().candidates if canonicalize_name(each.distribution.name) == wanted
    )


def write_lock(path: Path, found: Sequence[Candidate] = (), gone: Sequence[str] = ()) -> dict[str, object]:
    """Bring a lock file up to date, a JSON object as PLUGIN_LOCK takes it, and return what it holds.

    Raises:
        PluginLoadError: the file is there and holds something else.
    """
    pins: dict[str, object] = {}
    if path.exists():
        try:
            pins = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise PluginLoadError(f"{str(path)!r} is no lock file: {error}. Move it away.") from error
    pins |= {each.name: pin_of(each) for each in found}
    pins = {name: pin for name, pin in sorted(pins.items()) if name not in gone}
    new = path.with_name(f"{path.name}.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    new.write_text(f"{json.dumps(pins, indent=2)}\n", encoding="utf-8")
    new.replace(path)
    return pins


def _name_of(source: str) -> str:
    """Return the name of the distribution that `source` brings, of which nothing is run."""
    path = Path(source)
    if source.endswith(".whl"):
        return _name_of_wheel(path)
    if "/" in source or path.is_dir():
        return _name_of_folder(path)
    try:
        requirement = Requirement(source)
    except InvalidRequirement:
        requirement = None
    operators = [each.operator for each in requirement.specifier] if requirement is not None else []
    if requirement is None or requirement.url or operators not in (["=="], ["==="]):
        raise PluginLoadError(f"{source!r} can't be installed: {WANTED}.")
    return requirement.name


def _name_of_wheel(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as wheel:
            points = [name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt")]
            texts = [wheel.read(name).decode() for name in points]
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise PluginLoadError(f"{str(path)!r} is no wheel that can be read: {error}.") from error
    if not any(f"[{ENTRY_POINTS}]" in text for text in texts):
        raise PluginLoadError(
            f"{str(path)!r} brings no plugin: it has no entry point of the group {ENTRY_POINTS!r}."
        )
    return path.name.partition("-")[0]


def _name_of_folder(path: Path) -> str:
    try:
        project = tomllib.loads((path / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        name, points = str(project["name"]), project.get("entry-points", {}).get(ENTRY_POINTS)
    except FileNotFoundError as error:
        raise PluginLoadError(f"{str(path)!r} can't be installed: {WANTED}.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PluginLoadError(f"{str(path / 'pyproject.toml')!r} names no project: {error!r}.") from error
    if not points:
        raise PluginLoadError(
            f"{str(path)!r} brings no plugin: it has no entry point of the group {ENTRY_POINTS!r}."
        )
    return name


def _run(verb: str, *arguments: str) -> None:
    ended = subprocess.run(  # noqa: S603 - our own command line, no shell
        [*_installer(verb), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise PluginLoadError(f"The installer refuses to {verb} {arguments[-1]}:\n{ended.stdout.strip()}")


def _installer(verb: str) -> list[str]:
    if find_spec("pip") is not None:  # pip before uv: it sees what lies elsewhere on the path, too
        quiet = ("--quiet", "--disable-pip-version-check")
        sure = ("--yes",) if verb == "uninstall" else ()
        return [sys.executable, "-m", "pip", verb, *quiet, *sure]
    if (uv := shutil.which("uv")) is not None:
        return [uv, "pip", verb, "--quiet", "--python", sys.executable]
    raise PluginLoadError(
        "This environment has neither pip nor uv, as the images have not: build an image with the plugin "
        "(`make images`), or put uv on the PATH."
    )

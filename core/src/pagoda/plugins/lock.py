"""What alone may be imported as a plugin: version and content of its distribution, from PLUGIN_LOCK."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path, PurePosixPath

from pagoda.config.settings import PluginPin
from pagoda.plugins.candidates import Candidate
from pagoda.plugins.records import PluginRefused, ReasonCode

_WRITTEN_BY_INSTALLERS = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})
_IGNORED_FOLDERS = frozenset({"__pycache__", ".git", ".venv", "build", "dist"})


def check_pin(candidate: Candidate, names: Iterable[str], pins: Mapping[str, PluginPin]) -> None:
    """Hold a plugin against its pin, if it has one; none of its code has run.

    Raises:
        PluginRefused: its version or its files are not those of the pin.
    """
    pin = next((pins[name] for name in names if name in pins), None)
    if pin is None:
        return
    version = candidate.distribution.version
    if pin.version is not None and pin.version != version:
        raise _refused(candidate, f"version {pin.version}", version)
    if pin.sha256 is not None and (found := content_hash(candidate)) != pin.sha256:
        raise _refused(candidate, f"files with sha256 {pin.sha256}", found)


def content_hash(candidate: Candidate) -> str:
    """Return a hash of the names and contents of a distribution's files, however it was installed.

    Raises:
        PluginRefused: which files belong to it is not known.
    """
    files = _files(candidate)
    top = candidate.module.partition(".")[0]
    if not any(PurePosixPath(name).parts[0] in (top, f"{top}.py") for name in files):
        raise PluginRefused(
            ReasonCode.LOCK_MISMATCH,
            f"{candidate.label} can't be held against a hash: the record of its distribution lists no file "
            f"of {top!r}, as that of an editable install. Install it as a wheel, or pin its version alone.",
        )
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def pin_of(candidate: Candidate) -> dict[str, str]:
    """Return the pin of a plugin as it is installed now, for PLUGIN_LOCK."""
    return {"version": candidate.distribution.version, "sha256": content_hash(candidate)}


def _files(candidate: Candidate) -> dict[str, Path]:
    """Return the distribution's files by name: those of its record, or all of an example's folder."""
    folder = Path(candidate.distribution.folder)
    if candidate.distribution.is_example:
        found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    else:
        listed = metadata.distribution(candidate.distribution.name).files or []
        found = {str(file): Path(str(file.locate())) for file in listed}
    return {name: path for name, path in found.items() if _is_content(PurePosixPath(name)) and path.is_file()}


def _is_content(name: PurePosixPath) -> bool:
    return (
        not _IGNORED_FOLDERS & set(name.parts)
        and name.name not in _WRITTEN_BY_INSTALLERS
        and ".." not in name.parts  # scripts, which hold the interpreter's path
    )


def _refused(candidate: Candidate, pinned: str, found: str) -> PluginRefused:
    return PluginRefused(
        ReasonCode.LOCK_MISMATCH,
        f"{candidate.label} is pinned to {pinned} in PLUGIN_LOCK, but {found} is installed. Install what is "
        "pinned, or, if the change is wanted, pin what `pagoda plugins lock` prints.",
    )

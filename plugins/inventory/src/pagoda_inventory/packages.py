"""Facts of the machine's Python packages: each distribution of each environment that is found."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from pagoda_inventory.formats import is_version, printable

PACKAGE_FOLDERS = ("lib/python3*/site-packages", "lib/python3*/dist-packages", "Lib/site-packages")
"""Where an environment keeps its packages, as patterns below its prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFacts:
    """A distribution in an environment."""

    package: str
    version: str | None  # None: it has none that is PEP 440
    summary: str | None
    environment: str  # the virtual environment, or the folder that holds the packages
    requires: tuple[str, ...]  # keys of the packages of the environment that it needs, sorted

    @property
    def key(self) -> str:
        """Return what identifies it on the machine."""
        return package_key(self.package, self.environment)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageScan:
    """What was found, and what to tell about it."""

    packages: tuple[PackageFacts, ...]
    left_out: tuple[PackageFacts, ...] = ()  # beyond the limit
    remarks: tuple[str, ...] = ()  # for the job's log


def package_key(name: str, environment: str) -> str:
    """Return what identifies a package on the machine: ``django@/srv/app``."""
    return f"{canonicalize_name(name)}@{environment}"


def package_facts(folders: Iterable[Path] | None, limit: int) -> PackageScan:
    """Return the packages in `folders`, or in every folder that is found; no more than `limit`."""
    remarks: list[str] = []
    packages: list[PackageFacts] = []
    for folder in find_folders() if folders is None else folders:
        packages += _environment_facts(folder, remarks)
    packages.sort(key=lambda package: package.key)
    if len(packages) > limit:
        remarks.append(f"{len(packages)} packages were found, the first {limit} are taken (max_packages)")
    taken, left_out = tuple(packages[:limit]), tuple(packages[limit:])
    return PackageScan(packages=taken, left_out=left_out, remarks=tuple(remarks))


def find_folders() -> list[Path]:
    """Return the folders with packages: this process's, and those of the interpreters beside its own."""
    base = Path(sys.base_prefix)
    prefixes = [Path(sys.prefix), base, *sorted(base.parent.iterdir()), Path("/usr"), Path("/usr/local")]
    found = [
        folder for prefix in prefixes for pattern in PACKAGE_FOLDERS for folder in _glob(prefix, pattern)
    ]
    paths = [Path(entry) for entry in sys.path if entry]
    return list(dict.fromkeys(path.resolve() for path in (*found, *paths) if path.is_dir()))


def marker_values(folder: Path) -> dict[str, str]:
    """Return what requirements are judged by: no extra, and the version of Python that the folder is for."""
    version = re.fullmatch(r"python(3\.\d+)", folder.parent.name)
    if version is None:
        return {"extra": ""}
    return {"extra": "", "python_version": version[1], "python_full_version": f"{version[1]}.0"}


def in_dependency_order(packages: Iterable[PackageFacts]) -> list[PackageFacts]:
    """Return the packages, each after those that it requires; where only circles are left, by key."""
    waiting = {package.key: package for package in packages}
    ordered: list[PackageFacts] = []
    while waiting:
        ready = [key for key, package in waiting.items() if not waiting.keys() & {*package.requires} - {key}]
        ordered += [waiting.pop(key) for key in ready or [min(waiting)]]
    return ordered


def _glob(prefix: Path, pattern: str) -> list[Path]:
    try:
        return sorted(prefix.glob(pattern))
    except OSError:  # somebody else's environment
        return []


def environment_of(folder: Path) -> str:
    """Return what a folder of packages belongs to: its virtual environment, or itself without one."""
    prefixes = [parent for parent in folder.parents if (parent / "pyvenv.cfg").is_file()]
    return str(prefixes[0] if prefixes else folder)


def _distributions(folder: Path, remarks: list[str]) -> dict[str, Distribution]:
    """Return the distributions of one folder by canonical name."""
    found: dict[str, Distribution] = {}
    for distribution in distributions(path=[str(folder)]):
        try:
            name = distribution.metadata.get("Name")
        except UnicodeDecodeError as error:
            remarks.append(
                f"A distribution in {folder} has metadata that can't be read and is left out: {error}"
            )
            continue
        if name:
            found.setdefault(canonicalize_name(name), distribution)
        else:
            remarks.append(f"A distribution in {folder} is left out, its metadata has no name")
    return found


def _environment_facts(folder: Path, remarks: list[str]) -> Iterator[PackageFacts]:
    environment, markers = environment_of(folder), marker_values(folder)
    found = _distributions(folder, remarks)
    for distribution in found.values():
        fields = distribution.metadata
        name, version = fields["Name"], fields.get("Version")
        if version is None or not is_version(version):
            remarks.append(f"Version {version!r} of {name!r} in {environment} is not PEP 440 and is left out")
            version = None
        needed = _required_names(distribution, markers, remarks)
        yield PackageFacts(
            package=printable(name),
            version=version,
            summary=_summary(fields.get("Summary")),
            environment=environment,
            requires=tuple(sorted(package_key(name, environment) for name in needed if name in found)),
        )


def _summary(text: str | None) -> str | None:
    return None if text is None or text.strip() in ("", "UNKNOWN") else printable(" ".join(text.split()))


def _required_names(distribution: Distribution, markers: Mapping[str, str], remarks: list[str]) -> set[str]:
    """Return the canonical names of what a distribution needs in its environment, without extras."""
    needed: set[str] = set()
    for text in distribution.requires or ():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            remarks.append(f"Requirement {text!r} of {distribution.name!r} can't be read and is left out")
            continue
        if requirement.marker is None or requirement.marker.evaluate(dict(markers)):
            needed.add(canonicalize_name(requirement.name))
    return needed

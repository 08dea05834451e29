"""Check a plugin's declared requirements against what is installed, before any of its code runs."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from pagoda_plugin_sdk.checking.findings import CheckFinding

SDK = "pagoda-plugin-sdk"
"""Name of the distribution that holds the plugin contract."""

VersionOf = Callable[[str], str | None]
"""Returns the installed version of a distribution, None when it is absent."""


def installed_versions() -> VersionOf:
    """Return a look-up of installed versions that asks the import system once per distribution."""

    @cache
    def version_of(name: str) -> str | None:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return None

    return version_of


def requirement_faults(
    label: str, version: str, requires_python: str, requires: Iterable[str], version_of: VersionOf
) -> Iterator[CheckFinding]:
    """Yield what of a distribution's metadata does not fit; `label` is the beginning of each message."""
    yield from _version_faults(label, version)
    yield from _python_faults(label, requires_python)
    parsed: list[Requirement] = []
    for text in requires:
        try:
            parsed.append(_requirement(text))
        except InvalidRequirement as error:
            yield CheckFinding(
                code="bad_metadata",
                text=f"{label} has the requirement {text!r} in its metadata, which can't be read "
                f"({str(error).splitlines()[0]}). Correct and reinstall it.",
            )
            return
    if unmet := [requirement for requirement in parsed if not _is_met(requirement, version_of)]:
        yield _unmet(label, unmet, version_of)


def requires_sdk(requires: Iterable[str]) -> bool:
    """Return whether the requirements, all of which can be read, say which SDK the plugin is made for."""
    return any(_is_sdk(_requirement(text)) for text in requires)


def _version_faults(label: str, version: str) -> Iterator[CheckFinding]:
    try:
        _version(version)
    except InvalidVersion:
        yield CheckFinding(
            code="bad_metadata",
            text=f"{label} has the version {version!r} in its metadata, "
            "expected one like '1.2.3' (PEP 440). Correct and reinstall it.",
        )


def _python_faults(label: str, text: str) -> Iterator[CheckFinding]:
    try:
        if _python_fits(text):
            return
    except InvalidSpecifier:
        yield CheckFinding(
            code="bad_metadata",
            text=f"{label} has Requires-Python {text!r} in its metadata, expected one like '>=3.12'. "
            "Correct and reinstall it.",
        )
        return
    yield CheckFinding(
        code="incompatible_python",
        text=f"{label} requires Python {text}, but this is Python {platform.python_version()}. "
        "Install a release of it that supports this version.",
    )


def _unmet(label: str, unmet: list[Requirement], version_of: VersionOf) -> CheckFinding:
    facts = "; ".join(f"{requirement}, but {_installed(requirement, version_of)}" for requirement in unmet)
    if any(_is_sdk(requirement) for requirement in unmet):
        code, remedy = "incompatible_sdk", "Install a release of it that is made for this SDK."
    else:
        code, remedy = "missing_requirement", "Install what it requires beside it."
    return CheckFinding(code=code, text=f"{label} requires {facts}. {remedy}")


def _installed(requirement: Requirement, version_of: VersionOf) -> str:
    version = version_of(canonicalize_name(requirement.name))
    return "it is not installed" if version is None else f"{version} is installed"


def _is_met(requirement: Requirement, version_of: VersionOf) -> bool:
    if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
        return True
    version = version_of(canonicalize_name(requirement.name))
    return version is not None and _contains(requirement.specifier, version)


def _is_sdk(requirement: Requirement) -> bool:
    return canonicalize_name(requirement.name) == SDK


# Plugins of one environment repeat the same few requirements: parsing and comparing is paid once each.
@lru_cache(maxsize=1024)
def _requirement(text: str) -> Requirement:
    return Requirement(text)


@lru_cache(maxsize=1024)
def _contains(specifier: SpecifierSet, version: str) -> bool:
    return specifier.contains(version, prereleases=True)


@lru_cache(maxsize=1024)
def _version(text: str) -> Version:
    return Version(text)


@lru_cache(maxsize=64)
def _python_fits(text: str) -> bool:
    return SpecifierSet(text).contains(platform.python_version(), prereleases=True)

"""Check a plugin's declared requirements against what is installed, before any of its code runs."""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import cache, lru_cache
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from pagoda.plugins.candidates import Candidate
from pagoda.plugins.records import PluginRefused, ReasonCode

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


def check_compatibility(candidate: Candidate, version_of: VersionOf) -> None:
    """Check the SDK, the Python version and all other requirements of a plugin's distribution.

    Raises:
        PluginRefused: one of them does not fit; the message lists all that do not.
    """
    distribution = candidate.distribution
    _check_version(candidate)
    _check_python(candidate)
    unmet = [
        requirement
        for text in distribution.requires
        if not _is_met(requirement := _parse(text, candidate), version_of)
    ]
    if unmet:
        raise _unmet(candidate, unmet, version_of)


def requires_sdk(candidate: Candidate) -> bool:
    """Return whether the distribution says which SDK it is made for."""
    return any(_is_sdk(_parse(text, candidate)) for text in candidate.distribution.requires)


def _check_version(candidate: Candidate) -> None:
    try:
        _version(candidate.distribution.version)
    except InvalidVersion:
        raise PluginRefused(
            ReasonCode.BAD_METADATA,
            f"{candidate.label} has the version {candidate.distribution.version!r} in its metadata, "
            "expected one like '1.2.3' (PEP 440). Correct and reinstall it.",
        ) from None


def _check_python(candidate: Candidate) -> None:
    text = candidate.distribution.requires_python
    try:
        if _python_fits(text):
            return
    except InvalidSpecifier:
        raise PluginRefused(
            ReasonCode.BAD_METADATA,
            f"{candidate.label} has Requires-Python {text!r} in its metadata, expected one like '>=3.12'. "
            "Correct and reinstall it.",
        ) from None
    raise PluginRefused(
        ReasonCode.INCOMPATIBLE_PYTHON,
        f"{candidate.label} requires Python {text}, but this is Python {platform.python_version()}. "
        "Install a release of it that supports this version.",
    )


def _unmet(candidate: Candidate, unmet: list[Requirement], version_of: VersionOf) -> PluginRefused:
    facts = "; ".join(f"{requirement}, but {_installed(requirement, version_of)}" for requirement in unmet)
    if any(_is_sdk(requirement) for requirement in unmet):
        code, remedy = ReasonCode.INCOMPATIBLE_SDK, "Install a release of it that is made for this SDK."
    else:
        code, remedy = ReasonCode.MISSING_REQUIREMENT, "Install what it requires beside it."
    return PluginRefused(code, f"{candidate.label} requires {facts}. {remedy}")


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


def _parse(text: str, candidate: Candidate) -> Requirement:
    try:
        return _requirement(text)
    except InvalidRequirement as error:
        raise PluginRefused(
            ReasonCode.BAD_METADATA,
            f"{candidate.label} has the requirement {text!r} in its metadata, which can't be read "
            f"({str(error).splitlines()[0]}). Correct and reinstall it.",
        ) from None


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

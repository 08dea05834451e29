from __future__ import annotations

import platform

import pytest

from pagoda.plugins.candidates import Candidate, DistributionFacts
from pagoda.plugins.loader import check_compatibility
from pagoda.plugins.records import PluginRefused, ReasonCode
from pagoda_plugin_sdk.checking.requirements import installed_versions, requires_sdk

INSTALLED = {"pagoda-plugin-sdk": "1.4.0", "psutil": "6.0", "six": "1.16"}


def candidate(*requires: str, version: str = "1.0", python: str = "") -> Candidate:
    facts = DistributionFacts(
        name="dist-x", version=version, requires=requires, requires_python=python, folder="."
    )
    return Candidate(name="x", target="x.plugin:P", distribution=facts)


FITTING = {
    "inside the range": ["pagoda-plugin-sdk<2,>=1.0"],
    "another spelling of the name": ["Pagoda_Plugin.SDK>=1"],
    "old form with brackets": ["pagoda-plugin-sdk (>=1.0)"],
    "of an extra nobody asked for": ["absent>=3; extra == 'dev'"],
    "of another platform": ["absent>=3; sys_platform == 'plan9'"],
    "nothing required": [],
}


@pytest.mark.parametrize("requires", FITTING.values(), ids=FITTING)
def test_a_fitting_plugin_passes(requires: list[str]) -> None:
    checked = candidate(*requires)

    check_compatibility(checked, INSTALLED.get)

    assert requires_sdk(checked.distribution.requires) is any("agoda" in text for text in requires)


REFUSED = {
    "newer sdk": (
        candidate("pagoda-plugin-sdk>=2"),
        ReasonCode.INCOMPATIBLE_SDK,
        (
            "Plugin 'x' (distribution 'dist-x') requires pagoda-plugin-sdk>=2, but 1.4.0 is installed. "
            "Install a release of it that is made for this SDK."
        ),
    ),
    "absent requirement": (
        candidate("pagoda-plugin-sdk>=1", "absent>=3"),
        ReasonCode.MISSING_REQUIREMENT,
        "requires absent>=3, but it is not installed. Install what it requires beside it.",
    ),
    "old requirement": (
        candidate("psutil>=7"),
        ReasonCode.MISSING_REQUIREMENT,
        "requires psutil>=7, but 6.0 is installed.",
    ),
    "several": (
        candidate("absent", "pagoda-plugin-sdk<1"),
        ReasonCode.INCOMPATIBLE_SDK,
        "requires absent, but it is not installed; pagoda-plugin-sdk<1, but 1.4.0 is installed.",
    ),
    "python": (
        candidate(python=">=4"),
        ReasonCode.INCOMPATIBLE_PYTHON,
        f"requires Python >=4, but this is Python {platform.python_version()}.",
    ),
    "no requirement": (
        candidate("pagoda plugin sdk ="),
        ReasonCode.BAD_METADATA,
        "has the requirement 'pagoda plugin sdk =' in its metadata, which can't be read",
    ),
    "no version": (candidate(version="latest"), ReasonCode.BAD_METADATA, "has the version 'latest'"),
    "no python range": (candidate(python="three"), ReasonCode.BAD_METADATA, "has Requires-Python 'three'"),
}


@pytest.mark.parametrize(("refused", "code", "message"), REFUSED.values(), ids=REFUSED)
def test_an_unfitting_plugin_is_refused_with_both_sides(
    refused: Candidate, code: ReasonCode, message: str
) -> None:
    with pytest.raises(PluginRefused) as caught:
        check_compatibility(refused, INSTALLED.get)

    assert caught.value.reason_code is code
    assert message in str(caught.value)


def test_installed_versions_come_from_the_import_system() -> None:
    version_of = installed_versions()

    assert version_of("pagoda-plugin-sdk") is not None
    assert version_of("no-such-distribution-anywhere") is None


@pytest.mark.parametrize(
    ("requirement", "installed", "fits"),
    [
        ("pagoda-plugin-sdk>=1.0,<2", "1.5.0rc1", True),
        ("pagoda-plugin-sdk>=1.5", "1.5.0rc1", False),
        ("pagoda-plugin-sdk>=1.5.0rc1", "1.5.0rc1", True),
        ("pagoda-plugin-sdk<2", "1.5.dev3", True),
    ],
)
def test_a_pre_release_of_the_host_is_a_version_like_others(
    requirement: str, installed: str, fits: bool
) -> None:
    checked = candidate(requirement)
    if fits:
        check_compatibility(checked, lambda _: installed)
        return
    with pytest.raises(PluginRefused, match=f"but {installed} is installed"):
        check_compatibility(checked, lambda _: installed)


def test_a_pre_release_of_python_is_a_version_like_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "python_version", lambda: "3.99.0rc1")

    check_compatibility(candidate(python=">=3.13.0.dev7"), INSTALLED.get)
    check_compatibility(candidate(python=">=3.98"), INSTALLED.get)
    with pytest.raises(PluginRefused, match=r"3\.99\.0rc1"):
        check_compatibility(candidate(python=">=3.99"), INSTALLED.get)

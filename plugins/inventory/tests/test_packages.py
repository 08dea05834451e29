from __future__ import annotations

import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagoda_inventory.packages import (
    PackageFacts,
    environment_of,
    find_folders,
    in_dependency_order,
    marker_values,
    package_facts,
    package_key,
)


def install(
    folder: Path, name: str, version: str = "1.0", *lines: str, metadata: bytes | None = None
) -> None:
    """Put a distribution's metadata where an installer would."""
    target = folder / f"{name}-{version.replace(' ', '_')}.dist-info"
    target.mkdir(parents=True)
    text = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines, ""])
    (target / "METADATA").write_bytes(text.encode() if metadata is None else metadata)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the package folder of a virtual environment."""
    made = tmp_path / "venv" / "lib" / "python3.12" / "site-packages"
    made.mkdir(parents=True)
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    return made


def test_facts_are_those_of_the_metadata(folder: Path, tmp_path: Path) -> None:
    install(folder, "Flask", "3.0.1", "Summary: A web\n framework", "Requires-Dist: click>=8")
    install(folder, "click", "8.1", "Summary: UNKNOWN")
    environment = str(tmp_path / "venv")

    scan = package_facts([folder], 100)

    assert scan.remarks == ()
    assert scan.packages == (
        PackageFacts(package="click", version="8.1", summary=None, environment=environment, requires=()),
        PackageFacts(
            package="Flask",
            version="3.0.1",
            summary="A web framework",
            environment=environment,
            requires=(f"click@{environment}",),
        ),
    )


def test_every_distribution_of_this_process_is_found() -> None:
    found = {package.key.partition("@")[0] for package in package_facts(None, 100_000).packages}

    assert found >= {package_key(d.name, "").removesuffix("@") for d in distributions()}
    assert Path(sys.prefix).resolve() in {parent for folder in find_folders() for parent in folder.parents}


def test_second_look_finds_the_same() -> None:
    assert package_facts(None, 100_000) == package_facts(None, 100_000)


REQUIREMENTS = [
    ("click", ["click"]),
    ("click>=8,<9", ["click"]),
    ("Click [extra] (>=8)", ["click"]),
    ("click; python_version < '3'", []),
    ("click; python_version == '3.12'", ["click"]),
    ("click; extra == 'cli'", []),
    ("click; extra == 'cli' or python_version >= '3'", ["click"]),
    ("not-installed", []),
]


@pytest.mark.parametrize(("requirement", "expected"), REQUIREMENTS)
def test_requirement_is_what_is_needed_and_installed_here(
    requirement: str, expected: list[str], folder: Path
) -> None:
    install(folder, "flask", "1.0", f"Requires-Dist: {requirement}")
    install(folder, "click")

    flask = package_facts([folder], 100).packages[1]

    assert [key.partition("@")[0] for key in flask.requires] == expected


@pytest.mark.parametrize(
    ("version", "lines", "remark"),
    [
        ("1.0ubuntu3", (), "Version '1.0ubuntu3' of 'odd' in "),
        ("", (), "Version '' of 'odd' in "),
        (
            "1.0",
            ("Requires-Dist: >>nonsense",),
            "Requirement '>>nonsense' of 'odd' can't be read",
        ),
    ],
    ids=["version", "no version", "requirement"],
)
def test_oddity_is_remarked_and_costs_no_package(
    version: str, lines: tuple[str, ...], remark: str, folder: Path
) -> None:
    install(folder, "odd", version, *lines)

    scan = package_facts([folder], 100)

    assert [package.package for package in scan.packages] == ["odd"]
    assert [text.startswith(remark) for text in scan.remarks] == [True]
    assert scan.packages[0].version == ("1.0" if version == "1.0" else None)


@pytest.mark.parametrize(
    ("metadata", "remark"),
    [
        (b"Version: 1.0\n", "is left out, its metadata has no name"),
        (b"Name: caf\xe9\n", "metadata that can't be read and is left out: 'utf-8' codec"),
        (b"", "is left out, its metadata has no name"),
    ],
    ids=["no name", "no text", "empty"],
)
def test_broken_installation_is_remarked_and_left_out(metadata: bytes, remark: str, folder: Path) -> None:
    install(folder, "broken", metadata=metadata)
    install(folder, "sound")

    scan = package_facts([folder], 100)

    assert [package.package for package in scan.packages] == ["sound"]
    assert [remark in text for text in scan.remarks] == [True]


def test_first_so_many_are_taken_and_the_others_named(folder: Path) -> None:
    for name in ("c", "a", "b"):
        install(folder, name)

    scan = package_facts([folder], 2)

    assert [package.package for package in scan.packages] == ["a", "b"]
    assert [package.package for package in scan.left_out] == ["c"]
    assert scan.remarks == ("3 packages were found, the first 2 are taken (max_packages)",)


def test_one_package_in_two_environments_is_two(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "opt" / "lib" / "python3.13" / "site-packages"
    install(folder, "django", "5.2")
    install(other, "django", "4.2")

    keys = [package.key for package in package_facts([folder, other], 100).packages]

    assert keys == [f"django@{other}", f"django@{tmp_path / 'venv'}"]


def test_environment_is_the_virtual_one_or_else_the_folder(folder: Path, tmp_path: Path) -> None:
    plain = tmp_path / "usr" / "lib" / "python3" / "dist-packages"

    assert environment_of(folder) == str(tmp_path / "venv")
    assert environment_of(plain) == str(plain)


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/usr/lib/python3.11/site-packages", "3.11"),
        ("/usr/lib/python3/dist-packages", None),
        ("/srv/src", None),
    ],
)
def test_requirements_are_judged_by_the_python_of_the_folder(path: str, version: str | None) -> None:
    expected = {} if version is None else {"python_version": version, "python_full_version": f"{version}.0"}

    assert marker_values(Path(path)) == {"extra": "", **expected}


def named(packages: list[PackageFacts]) -> list[str]:
    return [package.package for package in packages]


def test_required_packages_come_first(make: Any) -> None:
    packages = [make.package("app", "1", "web", "db"), make.package("web", "1", "db"), make.package("db")]

    assert named(in_dependency_order(packages)) == ["db", "web", "app"]


def test_circle_begins_with_its_first_package(make: Any) -> None:
    packages = [make.package("b", "1", "a"), make.package("a", "1", "b"), make.package("c", "1", "a")]

    assert named(in_dependency_order(packages)) == ["a", "b", "c"]


def test_package_that_requires_itself_is_no_circle(make: Any) -> None:
    packages = [make.package("b", "1", "b", "c"), make.package("c", "1", "c"), make.package("a", "1", "b")]

    assert named(in_dependency_order(packages)) == ["c", "b", "a"]


def test_requirement_that_is_no_package_of_the_list_does_not_matter(make: Any) -> None:
    assert named(in_dependency_order([make.package("a", "1", "elsewhere")])) == ["a"]


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), unique=True)))
def test_order_keeps_every_package_and_honours_what_is_no_circle(graph: dict[str, list[str]]) -> None:
    acyclic = {name: [needed for needed in needs if needed < name] for name, needs in graph.items()}
    places = {name: place for place, name in enumerate(ordered(acyclic))}

    assert sorted(ordered(graph)) == sorted(graph)
    assert all(
        places[needed] < places[name]
        for name, needs in acyclic.items()
        for needed in needs
        if needed in graph
    )


def ordered(graph: dict[str, list[str]]) -> list[str]:
    """Return the names of packages that require each other as `graph` says, in the order of dependency."""
    packages = [
        PackageFacts(
            package=name,
            version="1",
            summary=None,
            environment="/e",
            requires=tuple(package_key(needed, "/e") for needed in needs),
        )
        for name, needs in graph.items()
    ]
    return named(in_dependency_order(packages))

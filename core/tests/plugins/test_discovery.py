from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from pagoda.plugins.candidates import Candidate, Catalogue
from pagoda.plugins.discovery import discover


def found(catalogue: Catalogue, name: str) -> Candidate:
    (candidate,) = catalogue.find(name)
    return candidate


def example(folder: Path, name: str, *, src: bool = True, text: str | None = None) -> Path:
    project = folder / name
    package = (project / "src" if src else project) / f"example_{name}"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('plugin code has run')\n")
    (package / "plugin.py").write_text("class P:\n    id = 'the-id'\n")
    (project / "pyproject.toml").write_text(
        text
        if text is not None
        else f'[project]\nname = "{name}-dist"\nversion = "3.1"\ndependencies = ["pagoda-plugin-sdk>=1"]\n'
        f'[project.entry-points."pagoda.plugins"]\n{name} = "example_{name}.plugin:P"\n'
    )
    return project


def test_an_installed_plugin_is_known_by_its_metadata_alone(packages: Any) -> None:
    package = packages.install("alpha", "raise SystemExit('plugin code has run')")

    candidate = found(discover(), "alpha")

    assert candidate.target == f"{package}.plugin:ThePlugin"
    assert (candidate.distribution.name, candidate.distribution.version) == ("dist-alpha", "1.0.0")
    assert candidate.distribution.requires == ("pagoda-plugin-sdk<2,>=1.0",)
    assert package not in sys.modules


@pytest.mark.parametrize("name", ["alpha-entry", "dist-alpha", "Dist_Alpha", "alpha"])
def test_a_plugin_is_found_by_entry_point_distribution_or_id(name: str, packages: Any) -> None:
    package = packages.install("alpha", entry_point="alpha-entry")

    assert found(discover(), name).name == "alpha-entry"
    assert package not in sys.modules


def test_an_entry_points_name_wins_over_another_plugins_id(packages: Any) -> None:
    packages.install("alpha")
    packages.install("beta", "class ThePlugin:\n    id = 'alpha'\n")

    assert found(discover(), "alpha").distribution.name == "dist-alpha"


def test_the_examples_folder_is_read_and_nothing_of_it_is_importable_yet(tmp_path: Path) -> None:
    example(tmp_path, "one")
    example(tmp_path, "two", src=False)
    (tmp_path / "no-project").mkdir()
    before = list(sys.path)

    catalogue = discover(tmp_path)

    one, two = found(catalogue, "one"), found(catalogue, "two")
    assert one.distribution.folder == str(tmp_path / "one" / "src")
    assert two.distribution.folder == str(tmp_path / "two")
    assert (one.distribution.name, one.distribution.version) == ("one-dist", "3.1")
    assert one.distribution.requires == ("pagoda-plugin-sdk>=1",)
    assert {c.name for c in catalogue.find("the-id")} == {"one", "two"}
    assert sys.path == before


def test_a_project_without_the_entry_point_is_no_plugin(tmp_path: Path) -> None:
    example(tmp_path, "tool", text='[project]\nname = "tool"\n')

    catalogue = discover(tmp_path)

    assert catalogue.find("tool") == ()
    assert catalogue.unreadable == ()


def test_an_installed_plugin_stands_before_its_copy_in_the_examples(packages: Any, tmp_path: Path) -> None:
    packages.install("alpha")
    text = '[project]\nname = "Dist.Alpha"\n[project.entry-points."pagoda.plugins"]\nalpha = "x:P"\n'
    example(tmp_path / "examples", "alpha", text=text)

    assert not found(discover(tmp_path / "examples"), "alpha").distribution.is_example


def test_a_missing_examples_folder_is_a_fault(tmp_path: Path) -> None:
    (fault,) = discover(tmp_path / "gone").faults

    assert fault.text.startswith("PLUGIN_EXAMPLES_DIR is ")
    assert fault.text.endswith("which is no folder. Correct it or remove the setting.")


BROKEN_EXAMPLES = {
    "no TOML": ("[project", "pyproject.toml: TOMLDecodeError"),
    "entry points are no table": (
        '[project]\nname = "b"\nentry-points = ["x"]\n',
        "pyproject.toml: `entry-points` of [project] is ['x'], expected tables",
    ),
}


@pytest.mark.parametrize(("text", "message"), BROKEN_EXAMPLES.values(), ids=BROKEN_EXAMPLES)
def test_a_broken_project_hides_no_other(text: str, message: str, tmp_path: Path) -> None:
    example(tmp_path, "bad", text=text)
    example(tmp_path, "good")

    catalogue = discover(tmp_path)

    assert found(catalogue, "good").name == "good"
    (unreadable,) = catalogue.unreadable
    assert message in unreadable.fault
    assert catalogue.suspect("bad") is unreadable


def test_the_folder_may_be_a_project_itself(tmp_path: Path) -> None:
    example(tmp_path, "alpha")

    assert found(discover(tmp_path / "alpha"), "alpha").name == "alpha"


BROKEN_METADATA = {
    "no name": ("Metadata-Version: 2.3\nVersion: 1\n", "its metadata has no 'Name'"),
    "no version": ("Metadata-Version: 2.3\nName: x\n", "its metadata has no 'Version'"),
    "empty": ("", "its metadata has no 'Name'"),
}


@pytest.mark.parametrize(("metadata", "message"), BROKEN_METADATA.values(), ids=BROKEN_METADATA)
def test_broken_metadata_hides_no_other_plugin(metadata: str, message: str, packages: Any) -> None:
    packages.install("bad", metadata=metadata)
    packages.install("good")

    catalogue = discover()

    assert found(catalogue, "good").name == "good"
    assert catalogue.find("bad") == ()
    suspect = catalogue.suspect("bad")
    assert suspect is not None
    assert message in suspect.fault


def test_an_entry_point_of_no_known_form_is_told(packages: Any) -> None:
    packages.install("bad", target="not/a module")

    suspect = discover().suspect("bad")

    assert suspect is not None
    assert (
        "entry point 'bad = not/a module' is not of the form 'name = package.module:Class'" in suspect.fault
    )

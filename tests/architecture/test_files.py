"""Nothing in the repository may depend on the machine or the network it was written on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

# Patterns, so that this file passes its own test.
REGISTRY_HOSTS = [
    *(r"pypi\.org", r"pythonhosted\.org", r"npmjs\.(?:org|com)", r"crates\.io", r"proxy\.golang\.org"),
    *(r"docker\.(?:io|com)", r"ghcr\.io", r"quay\.io", r"gcr\.io", r"registry\.k8s\.io"),
]
MACHINE_PATHS = re.compile(r"(?<![\w.~/-])/(?:root|work|home/\w+|Users/\w+|opt/(?:pypi|wheels))/\w")
EXECUTABLE = {".ci/run", ".ci/docker", ".ci/chromium"}


def text_of(path: Path) -> str:
    """Return a file's text, empty for one that holds none (images)."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize("host", REGISTRY_HOSTS)
def test_no_file_names_a_registry_host(files: list[Path], root: Path, host: str) -> None:
    assert len(files) > 50
    assert [str(path.relative_to(root)) for path in files if re.search(host, text_of(path))] == []


def test_no_file_names_a_path_of_one_machine(files: list[Path], root: Path) -> None:
    faults = {
        str(path.relative_to(root)): found
        for path in files
        if (found := MACHINE_PATHS.findall(text_of(path)))
    }
    assert faults == {}


@pytest.mark.parametrize("path", ["root/x", "work/main", "home/ann/x"])
def test_machine_paths_are_recognised(path: str) -> None:
    assert MACHINE_PATHS.search(f"see '/{path}'")


@pytest.mark.parametrize("path", ["https://host/work/x", "src/work/x", "/api/v2/root/x", "/workspace/x"])
def test_other_paths_are_no_machine_paths(path: str) -> None:
    assert not MACHINE_PATHS.search(path)


@pytest.mark.parametrize("name", sorted(EXECUTABLE))
def test_scripts_can_be_run(root: Path, name: str) -> None:
    assert (root / name).stat().st_mode & 0o111


def test_license_is_the_full_text(root: Path) -> None:
    text = (root / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text

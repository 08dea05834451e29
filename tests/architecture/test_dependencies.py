from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tools import lock
from tools.bootstrap import DISTRIBUTIONS

OURS = {
    "pagoda-plugin-sdk",
    "pagoda-core",
    "pagoda-api",
    "pagoda-worker",
    "pagoda-hello-world",
    "pagoda-inventory",
}


def requirement_lines(text: str) -> list[str]:
    """Return the lines of a ``dependencies`` list that hold one requirement each."""
    return re.findall(r"^  \"[\w.-]+.*$", text, flags=re.MULTILINE)


def test_locks_were_made_from_todays_inputs() -> None:
    assert lock.faults() == []


@pytest.mark.parametrize("name", ["runtime", "dev"])
def test_locks_hold_no_distribution_of_ours(name: str) -> None:
    names = {pin.partition("==")[0] for pin in lock.pins(name)}
    assert len(names) > 40
    assert names & OURS == set()


@pytest.mark.parametrize("name", lock.LOCKS)
def test_every_pin_has_hashes(root: Path, name: str) -> None:
    text = (root / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[\w.-]+==)", text)[1:]
    assert len(blocks) == len(lock.pins(name)) - (0 if text.startswith("#") else 1)
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("folder", DISTRIBUTIONS)
def test_every_dependency_of_a_distribution_has_its_reason(root: Path, folder: str) -> None:
    lines = requirement_lines((root / folder / "pyproject.toml").read_text(encoding="utf-8"))
    unexplained = [line for line in lines if "#" not in line and not any(f'"{name}' in line for name in OURS)]
    assert unexplained == []


@pytest.mark.parametrize("name", ["dev", "uv"])
def test_every_tool_has_its_reason(root: Path, name: str) -> None:
    lines = (root / "requirements" / f"{name}.in").read_text(encoding="utf-8").splitlines()
    tools = [line for line in lines if re.match(r"\w", line)]
    assert tools
    assert [line for line in tools if "  #" not in line and " # " not in line] == []


def test_every_distribution_asks_for_the_same_python(root: Path) -> None:
    asked = {
        tomllib.loads((root / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"][
            "requires-python"
        ]
        for folder in DISTRIBUTIONS
    }
    assert asked == {f">={lock.OLDEST_PYTHON}"}

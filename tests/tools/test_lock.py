from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tools import lock

PROJECT = '[project]\nname = "pagoda-x"\nrequires-python = ">=3.12"\ndependencies = ["django>=5.2"]\n'


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with one distribution and locks that belong to their inputs."""
    folder = tmp_path / "requirements"
    (tmp_path / "x").mkdir()
    folder.mkdir()
    monkeypatch.setattr(lock, "ROOT", tmp_path)
    monkeypatch.setattr(lock, "REQUIREMENTS", folder)
    (tmp_path / "x" / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (folder / "uv.in").write_text("uv>=0.8  # installs\n", encoding="utf-8")
    (folder / "build.in").write_text("hatchling>=1.27\n", encoding="utf-8")
    (folder / "runtime.in").write_text("./x[postgres]\n", encoding="utf-8")
    (folder / "dev.in").write_text("-r runtime.in\n-c runtime.txt\npytest>=9  # tests\n", encoding="utf-8")
    (folder / "mutate.in").write_text("-c dev.txt\nmutmut>=3\n", encoding="utf-8")
    for name in lock.LOCKS:
        text = f"# Made by `make lock`\n{lock.HEADER}{lock.digest(name)}\ndjango==5.2.1 --hash=sha256:00\n"
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return tmp_path


def test_locks_of_todays_inputs_have_no_faults(workspace: Path) -> None:
    assert lock.pins("runtime") == {"django==5.2.1"}
    assert lock.faults() == []


CHANGES = [
    pytest.param("x/pyproject.toml", "django>=5.2", "django>=5.3", ["runtime", "dev"], id="dependency"),
    pytest.param("x/pyproject.toml", ">=3.12", ">=3.13", ["runtime", "dev"], id="python"),
    pytest.param("requirements/runtime.in", "[postgres]", "[redis]", ["runtime", "dev"], id="extra"),
    pytest.param("requirements/dev.in", "pytest>=9", "pytest>=9.1", ["dev"], id="tool"),
    pytest.param("requirements/uv.in", "0.8", "0.9", ["uv"], id="uv"),
    pytest.param("requirements/dev.in", "# tests", "# all the tests", [], id="reason"),
    pytest.param("x/pyproject.toml", "[project]", "[project]\nversion = '2'", [], id="version"),
]


@pytest.mark.parametrize(("path", "old", "new", "stale"), CHANGES)
def test_change_of_an_input_makes_its_locks_stale(
    workspace: Path, path: str, old: str, new: str, stale: list[str]
) -> None:
    edit(workspace / path, old, new)
    faults = lock.faults()
    assert [fault.split()[0] for fault in faults] == [f"requirements/{name}.txt" for name in stale]


BREAK: list[tuple[str, Callable[[Path], object], str]] = [
    ("absent", Path.unlink, "requirements/runtime.txt was not made"),
    ("empty", lambda path: path.write_text("", encoding="utf-8"), "requirements/runtime.txt was not made"),
    (
        "other pin",
        lambda path: edit(path, "5.2.1", "5.2.2"),
        r"requirements/dev.txt lacks pins .*django==5\.2\.2",
    ),
]


@pytest.mark.parametrize(("change", "message"), [row[1:] for row in BREAK], ids=[row[0] for row in BREAK])
def test_broken_lock_is_named_with_the_remedy(
    workspace: Path, change: Callable[[Path], object], message: str
) -> None:
    change(workspace / "requirements" / "runtime.txt")
    with pytest.raises(SystemExit, match=rf"(?s){message}.*run `make lock`"):
        lock.main(["--check"])

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools import bootstrap


def fake_python(folder: Path, name: str, version: str) -> Path:
    """Put a program that answers --version like a Python into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\necho Python {version}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any Python, on which 3.13 is wanted."""
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    (tmp_path / ".python-version").write_text("3.13\n", encoding="utf-8")
    return tmp_path


def test_wanted_version_in_pyenv_comes_before_another_on_path(machine: Path) -> None:
    fake_python(machine / "path", "python3.14", "3.14.1")
    wanted = fake_python(machine / "pyenv" / "versions" / "3.13.0" / "bin", "python3.13", "3.13.0")
    assert bootstrap.find_interpreter() == wanted


def test_another_supported_version_serves_when_the_wanted_is_absent(machine: Path) -> None:
    other = fake_python(machine / "uv" / "cpython-3.12.9" / "bin", "python3.12", "3.12.9")
    assert bootstrap.find_interpreter() == other


def test_unnumbered_python_serves_when_it_is_new_enough(machine: Path) -> None:
    plain = fake_python(machine / "path", "python3", "3.12.4")
    assert bootstrap.find_interpreter() == plain


def test_program_that_fails_is_passed_over(machine: Path) -> None:
    shim = fake_python(machine / "path", "python3.13", "3.13.0")
    shim.write_text("#!/bin/sh\necho no such version >&2\nexit 127\n", encoding="utf-8")
    works = fake_python(machine / "path", "python3.12", "3.12.4")
    assert bootstrap.find_interpreter() == works


def test_machine_with_an_old_python_alone_is_told_what_to_install(machine: Path) -> None:
    fake_python(machine / "path", "python3.11", "3.11.2")
    with pytest.raises(
        SystemExit, match=r"Pagoda needs Python >= 3\.12, found none on PATH.* install Python 3\.13"
    ):
        bootstrap.find_interpreter()


def test_uv_of_the_machine_is_linked_when_it_is_new_enough(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "UV", machine / ".uv" / "bin" / "uv")
    own = fake_python(machine / "path", "uv", "0.8.0")
    bootstrap.ensure_uv(Path("no-interpreter-needed"))
    assert (machine / ".uv" / "bin" / "uv").readlink() == own


@pytest.mark.parametrize("arguments", [["instal"], ["environment", "twice"]], ids=["unknown", "too many"])
def test_unknown_arguments_are_named(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="unknown arguments") as caught:
        bootstrap.main(arguments)
    assert repr(arguments) in str(caught.value)


def test_no_python_is_ever_downloaded() -> None:
    assert bootstrap.ENVIRONMENT["UV_PYTHON_DOWNLOADS"] == "never"
    assert bootstrap.ENVIRONMENT["PATH"] == os.environ["PATH"]


def test_a_plugin_that_is_not_locked_is_named_when_it_is_removed(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = iter([{"acme": "file:///src/acme", "inventory": "inventory==1"}, {"inventory": "inventory==1"}])
    monkeypatch.setattr(bootstrap, "plugins", lambda: next(found))
    monkeypatch.setattr(bootstrap, "run", lambda *_: None)
    monkeypatch.setattr(bootstrap, "STAMP", machine / "stamp")
    bootstrap.install()
    told = capsys.readouterr().out
    assert "removed acme, " in told
    assert "uv pip install file:///src/acme" in told
    assert "inventory" not in told


def test_plugins_of_the_environment_are_found() -> None:
    assert set(bootstrap.plugins()) == {"pagoda-hello-world", "pagoda-inventory"}

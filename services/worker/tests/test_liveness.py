from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pagoda_worker.cli import EX_DEAD, EX_OK, main
from pagoda_worker.liveness import age_of, touch


def test_touched_file_is_young(tmp_path: Path) -> None:
    path = tmp_path / "run" / "core.alive"
    assert age_of(path) is None
    touch(path)
    age = age_of(path)
    assert age is not None
    assert age < 60


def test_probe_passes_while_the_file_is_touched(tmp_path: Path) -> None:
    touch(tmp_path / "alive")
    assert main(["alive", str(tmp_path / "alive")]) == EX_OK


def test_probe_fails_when_the_file_is_old(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "alive"
    touch(path)
    os.utime(path, (time.time() - 100, time.time() - 100))
    assert main(["alive", str(path), "--max-age", "30"]) == EX_DEAD
    assert capsys.readouterr().err == f"pagoda-worker: {path} was touched 100 s ago, expected within 30 s\n"


def test_probe_fails_without_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "alive"
    assert main(["alive", str(path)]) == EX_DEAD
    assert capsys.readouterr().err == f"pagoda-worker: {path} is not there, expected within 60 s\n"


def test_probe_loads_neither_django_nor_celery(tmp_path: Path) -> None:
    touch(tmp_path / "alive")
    program = (
        "import sys; from pagoda_worker.cli import main; code = main(sys.argv[1:]);"
        "print(code, sorted({'django', 'celery', 'pagoda'} & set(sys.modules)))"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", program, "alive", str(tmp_path / "alive")],
        check=True,
        capture_output=True,
        text=True,
    )
    assert outcome.stdout == "0 []\n"

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pagoda_worker import tether

CHILD = "import os, signal, sys; open(sys.argv[1], 'w').write(str(os.getpid())); signal.pause()"
PARENT = """
import subprocess, sys
from pagoda_worker.tether import tethered
subprocess.run(tethered([sys.executable, "-c", sys.argv[1], sys.argv[2]]))
"""


def wait_until(condition: Callable[[], bool], limit_seconds: float = 20.0) -> None:
    deadline = time.monotonic() + limit_seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit_seconds} s"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's tie between processes is Linux's")
def test_child_dies_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, CHILD, str(pid_file)])
    try:
        wait_until(lambda: pid_file.exists() and bool(pid_file.read_text()))
        child = int(pid_file.read_text())
        assert is_running(child)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait(timeout=20)
    wait_until(lambda: not is_running(child))


def test_command_that_ends_gives_its_exit_code() -> None:
    command = tether.tethered([sys.executable, "-c", "raise SystemExit(7)"])
    assert subprocess.run(command, check=False).returncode == 7


def test_command_is_not_started_when_the_parent_is_gone_already(tmp_path: Path) -> None:
    made = tmp_path / "made"
    code = f"open({str(made)!r}, 'w')"
    gone = str(os.getppid() + 100_000_000)
    outcome = subprocess.run(
        [sys.executable, "-m", "pagoda_worker.tether", gone, sys.executable, "-c", code], check=False
    )
    assert (outcome.returncode, made.exists()) == (tether.EX_PARENT_GONE, False)


@pytest.mark.parametrize("argv", [[], ["12"], ["x", "true"]], ids=["nothing", "no command", "no number"])
def test_wrong_arguments_are_named(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert tether.main(argv) == tether.EX_USAGE
    assert capsys.readouterr().err == (
        f"tether: arguments {argv!r}, expected PARENT_PID COMMAND [ARGUMENT...]\n"
    )

"""A deployment of real processes on SQLite and files, and what tests ask of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tools.migrated_host import put_tables

PROBE = Path(__file__).parent / "probe"
TASKS = ("whoami", "vanish", "die_once", "hang", "overrun", "eat", "nap", "fork", "spread", "foreign", "echo")
LIMIT_SECONDS = 60.0


def wait_for[T](look: Callable[[], T | None], what: str, limit_seconds: float = LIMIT_SECONDS) -> T:
    """Return what `look` finds as soon as that is true; fail after the limit."""
    deadline = time.monotonic() + limit_seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what}: not within {limit_seconds} s"
        time.sleep(0.05)
    return found


@dataclass
class Deployment:
    """A data folder, its environment, and the processes started on it."""

    folder: Path
    environ: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", *arguments]

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env=self.environ | environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_SECONDS,
        )

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as output:
            return subprocess.Popen(
                self.command(*arguments),
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @contextmanager
    def console(self) -> Iterator[Console]:
        with subprocess.Popen(
            [sys.executable, str(PROBE / "probe_console.py")],
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            yield Console(process)
            assert process.stdin is not None
            process.stdin.close()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until `condition` holds."""
        wait_for(condition, what)

    def table(self, name: str) -> dict[str, dict[str, str]]:
        """Return the table that `pagoda-worker up` printed last, ``{plugin: {column: cell}}``."""
        blocks = [block for block in self.log(name).split("PLUGIN  ")[1:] if "\n\n" in block]
        if not blocks:
            return {}
        header, *lines = ("PLUGIN  " + blocks[-1].split("\n\n")[0]).splitlines()
        columns = [[cell.strip() for cell in re.split(r"  +", line)] for line in (header, *lines)]
        return {cells[0]: dict(zip(columns[0], cells, strict=True)) for cells in columns[1:]}

    def wait_for_table(self, name: str, states: dict[str, str]) -> None:
        """Wait until the table shows these processes in these states."""

        def look() -> bool:
            shown = self.table(name)
            return all(shown.get(process, {}).get("STATE") == state for process, state in states.items())

        wait_for(look, f"{states} in the table")

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)

    def wait_for_log(self, name: str, text: str) -> None:
        """Wait until the log of a process holds `text`."""
        wait_for(lambda: text in self.log(name), f"{text!r} in the log of {name}")

    def wait_for_file(self, path: Path) -> None:
        """Wait until the file exists."""
        wait_for(path.exists, f"file {path.name}")

    def wait_until_gone(self, *pids: int) -> None:
        """Wait until none of the processes exists."""
        wait_for(lambda: not any(map(is_running, pids)), f"end of processes {pids}")

    def processes(self) -> list[int]:
        """Return the processes that were started with this data folder, apart from consoles."""
        mark = f"PAGODA_DATA_DIR={self.folder}\0".encode()
        ours = [pid for pid in _pids() if mark in _read(pid, "environ")]
        return [pid for pid in ours if b"probe_console" not in _read(pid, "cmdline")]


@dataclass
class Console:
    """Submits and watches jobs of a deployment."""

    process: subprocess.Popen[str]

    def ask(self, command: str, *arguments: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([command, *arguments]) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def submit(self, operation: str, **params: Any) -> int:
        return int(self.ask("submit", operation, params)["id"])

    def ended(self, job_id: int, limit_seconds: float = LIMIT_SECONDS) -> dict[str, Any]:
        """Return the job once it has finished."""

        def look() -> dict[str, Any] | None:
            job = self.ask("show", job_id)
            return job if job["phase"] == "finished" else None

        return wait_for(look, f"end of job {job_id}", limit_seconds)

    def running(self, job_id: int) -> list[int]:
        """Return the processes that a job names as its progress, once it does."""

        def look() -> list[int] | None:
            return [int(pid) for pid in self.ask("show", job_id)["progress"].split()] or None

        return wait_for(look, f"start of job {job_id}")

    def run(self, operation: str, **params: Any) -> dict[str, Any]:
        return self.ended(self.submit(operation, **params))


def is_running(pid: int) -> bool:
    return _read(pid, "stat").rpartition(b")")[2].split()[:1] not in ([], [b"Z"], [b"X"])


def _pids() -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if is_running(pid)]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    folder = tmp_path_factory.mktemp("migrated")
    made = Deployment(folder, _environ(folder))
    put_tables(folder)
    return made


@pytest.fixture
def deployment(migrated: Deployment, tmp_path: Path) -> Iterator[Deployment]:
    """Give a test a deployment of its own."""
    with _deployed(migrated, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Give the tests of a module a deployment without a database of its own."""
    folder = tmp_path_factory.mktemp("bare")
    made = Deployment(folder, _environ(folder))
    yield made
    for pid in made.processes():
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def shared_deployment(migrated: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Give the tests of a module one deployment."""
    with _deployed(migrated, tmp_path_factory.mktemp("shared")) as made:
        yield made


@contextmanager
def _deployed(migrated: Deployment, folder: Path) -> Iterator[Deployment]:
    for file in migrated.folder.glob("pagoda.sqlite3*"):
        shutil.copy(file, folder / file.name)
    made = Deployment(folder, _environ(folder))
    yield made
    for pid in made.processes():
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def console(deployment: Deployment) -> Iterator[Console]:
    with deployment.console() as console:
        yield console


def _environ(folder: Path) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return inherited | {
        "PYTHONPATH": str(PROBE),
        "DJANGO_SETTINGS_MODULE": "pagoda_worker.settings",
        "PAGODA_ENV_FILE": "",
        "PAGODA_DATA_DIR": str(folder),
        "CUSTOM_TASKS": json.dumps({100 + index: f"probe_tasks.{name}" for index, name in enumerate(TASKS)}),
        "JOB_LEASE_SECONDS": "4",
        "JOB_CANCEL_GRACE_SECONDS": "1",
        "JOB_DISPATCH_INTERVAL_SECONDS": "0.2",
        "PLUGIN_WORKER_CONFIG": '{"core": {"memory_mb": 128}}',
    }

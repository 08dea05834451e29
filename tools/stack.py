"""Start Pagoda's processes on this machine, wait for them, and leave nothing of them behind."""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from pagoda.config.settings import Settings
from pagoda_worker.tether import tethered

DEMO_PLUGINS = {
    "ENABLED_PLUGINS": "hello-world,inventory",
    "PLUGIN_OPERATION_ID_CONFIG": '{"hello-world": [200, 299], "inventory": [300, 399]}',
}
"""The plugins of this repository, each with the numbers of its operations."""

PORTS = range(20_000, 32_000)  # below those that the system hands out to connections
STOP_SECONDS = 40.0  # a worker's soft shutdown, and a margin
POLL_SECONDS = 0.1
TAIL_LINES = 30
ADMIN = "admin"


class StackError(Exception):
    """A process did not do what it was started for; the message says which, and what it did."""


@dataclass(frozen=True, slots=True)
class Started:
    """A process that runs until it is stopped."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


class Stack:
    """The processes of one data folder. Use it as a context manager: leaving it stops them all."""

    def __init__(self, data_dir: Path, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
        self.data_dir = data_dir.resolve()
        self.log_dir = self.data_dir / "logs"
        self.log_dir.mkdir(parents=True, exist_ok=True)
        self.environ = {**environ, "PAGODA_DATA_DIR": str(self.data_dir)}
        self._say = say
        self._started: list[Started] = []

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(
        self, name: str, *command: str, extra: Mapping[str, str] | None = None, allowed: str | None = None
    ) -> None:
        """Run a command to its end; its output goes to a log in the data folder.

        Raises:
            StackError: it fails, and its output does not hold what is `allowed`.
        """
        outcome = subprocess.run(
            tethered((sys.executable, "-m", *command)),
            env=self.environ | dict(extra or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        (self.log_dir / f"{name}.log").write_text(outcome.stdout)
        if outcome.returncode and not (allowed and allowed in outcome.stdout):
            raise StackError(f"{name} ended with exit {outcome.returncode}")

    def start(self, name: str, *command: str) -> None:
        """Start a process that runs until `stop`; its output goes to a log in the data folder."""
        log = self.log_dir / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                tethered((sys.executable, "-m", *command)),
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # ctrl-c reaches this script alone, which stops them in order
            )
        self._started.append(Started(name, process, log))

    def pid_of(self, name: str) -> int:
        """Return the process that was started under this name."""
        return next(started.process.pid for started in self._started if started.name == name)

    def wait_for(self, what: str, missing_for: Callable[[], str | None], limit_seconds: float) -> None:
        """Wait as `poll` does, and tell what is missing whenever that changes.

        Raises:
            StackError: it took longer than the limit, or a process ended meanwhile.
        """
        told: str | None = None

        def look() -> str | None:
            nonlocal told
            missing = missing_for()
            if missing not in (None, told):
                self._say(f"waiting for {what}: {missing}")
            told = missing
            return missing

        self.poll(what, look, limit_seconds)

    def poll(self, what: str, missing_for: Callable[[], str | None], limit_seconds: float) -> None:
        """Call `missing_for` until it returns None; until then it returns what is missing.

        Raises:
            StackError: it took longer than the limit, or a process ended meanwhile.
        """
        deadline = time.monotonic() + limit_seconds
        while (missing := missing_for()) is not None:
            self.check()
            if time.monotonic() > deadline:
                raise StackError(f"{what} was not there within {limit_seconds:g} s: {missing}")
            time.sleep(POLL_SECONDS)

    def check(self) -> None:
        """Look whether every process still runs.

        Raises:
            StackError: one has ended.
        """
        for started in self._started:
            code = started.process.poll()
            if code is not None:
                raise StackError(f"{started.name} ended by itself with exit {code}")

    def stop(self) -> None:
        """Stop every process, the last started first; a second ctrl-c kills them. Safe to call again."""
        deadline = time.monotonic() + STOP_SECONDS
        try:
            for started in reversed(self._started):
                _signal(started.process.pid, signal.SIGTERM, os.kill)
            for started in reversed(self._started):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    started.process.wait(max(0.0, deadline - time.monotonic()))
        finally:
            for started in self._started:
                _signal(started.process.pid, signal.SIGKILL, os.killpg)
                started.process.wait()
            self._started.clear()

    def left_behind(self) -> list[str]:
        """Return the processes that were started with this data folder and still exist."""
        deadline = time.monotonic() + 5  # the kernel ends those whose parent is gone, a moment later
        while found := [_described(p) for p in psutil.process_iter() if self._is_ours(p)]:
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
        return found

    def tails(self) -> str:
        """Return the last lines of every log."""
        parts = []
        for log in sorted(self.log_dir.glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
            parts.append("\n".join([f"--- {log.name}, its last {len(lines)} lines", *lines]))
        return "\n".join(parts)

    def _is_ours(self, process: psutil.Process) -> bool:
        if process.pid == os.getpid():
            return False
        try:
            is_running = process.status() != psutil.STATUS_ZOMBIE
            return is_running and process.environ().get("PAGODA_DATA_DIR") == str(self.data_dir)
        except psutil.Error:
            return False  # another user's, or gone


def clean_environ() -> dict[str, str]:
    """Return the environment without any of Pagoda's settings, those of a ``.env`` file included."""
    settings = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name not in settings}
    return kept | {"PAGODA_ENV_FILE": "", "PAGODA_LOG_FORMAT": "console", "PYTHONUNBUFFERED": "1"}


def interrupt_on_signals() -> None:
    """Have SIGINT and SIGTERM raise KeyboardInterrupt, whose way out stops everything.

    A shell starts its background commands with SIGINT ignored; for them it is set anew.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def free_port() -> int:
    """Return a port on loopback that nobody listens on."""
    for _ in range(100):
        port = random.choice(PORTS)  # noqa: S311 - nothing secret
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise StackError(f"no free port on 127.0.0.1 among {PORTS.start}-{PORTS.stop - 1}")


def is_free(bind: str) -> bool:
    """Return whether nobody listens on ``host:port``."""
    host, _, port = bind.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host.strip("[]"), int(port))) != 0


def prepare(stack: Stack, password: str | None = None) -> str:
    """Bring the database up to date and make its administrator, unless there is one; return the password."""
    password = password or secrets.token_urlsafe(16)
    stack.run("migrate", "pagoda.cli", "migrate")
    stack.run(
        "create-admin",
        "pagoda.cli",
        "manage",
        "createsuperuser",
        "--noinput",
        allowed="already taken",
        extra={
            "DJANGO_SUPERUSER_USERNAME": ADMIN,
            "DJANGO_SUPERUSER_EMAIL": "admin@example.org",
            "DJANGO_SUPERUSER_PASSWORD": password,
        },
    )
    return password


def is_ready(client: httpx.Client) -> str | None:
    """Ask ``/readyz``; return None when all is well, else what is not."""
    try:
        answer = client.get("/readyz")
    except httpx.TransportError:
        return "no answer yet"
    if answer.is_success:
        return None
    checks = answer.json().get("checks", {})
    missing = [f"{name} {check['text']}" for name, check in checks.items() if check["status"] != "ok"]
    return "; ".join(missing) or f"it answers {answer.status_code}"


def _signal(pid: int, number: signal.Signals, send: Callable[[int, int], None]) -> None:
    with contextlib.suppress(ProcessLookupError):
        send(pid, number)


def _described(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return f"{process.pid} {' '.join(process.cmdline())}"
    return str(process.pid)

"""A PostgreSQL and a Redis of our own, on loopback, with free ports and data folders of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import redis

from tools.stack import StackError, free_port

START_SECONDS = 30.0
PROGRAMS = "/usr/lib/postgresql"  # where Debian keeps PostgreSQL's, by version


def missing_programs() -> list[str]:
    """Return Debian's packages that are needed and not installed."""
    missing = [] if postgres_folder() else ["postgresql"]
    return missing + ([] if shutil.which("redis-server") else ["redis-server"])


@dataclass(slots=True)
class RedisServer:
    """A Redis without persistence: what it holds is gone when it stops."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return its address for BROKER_URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        options = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        self.process = _spawn(
            ("redis-server", *options, "--dir", str(self.folder)), self.folder / "redis.log"
        )
        _wait("Redis", lambda: redis.Redis(port=self.port).ping(), (redis.RedisError,))

    def stop(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it, and lose what it holds."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait()
            self.process = None


@dataclass(slots=True)
class PostgresServer:
    """A PostgreSQL with one database."""

    folder: Path
    superuser: str = "pagoda"
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return its address for DATABASE_URL."""
        return f"postgres://{self.superuser}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Make the cluster on first use, start it, and wait until it answers."""
        programs = postgres_folder()
        if programs is None:
            raise StackError("PostgreSQL is not installed: apt-get install postgresql")
        if not self.folder.exists():
            self._create(programs)
        options = (
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            f"port={self.port}",
            "-c",
            "unix_socket_directories=",
        )
        command = (str(programs / "postgres"), "-D", str(self.folder), *options, "-c", "max_connections=200")
        self.process = _spawn(_as_nobody(command), self.folder.with_suffix(".log"))
        _wait("PostgreSQL", self._ask, (psycopg.OperationalError,))

    def adopt(self, kept: Path) -> None:
        """Take a copy of another cluster's folder, which is stopped, instead of making one."""
        shutil.copytree(kept, self.folder)
        for path in (self.folder, *self.folder.rglob("*")):
            _give_away(path)
        self.folder.chmod(0o700)

    def stop(self) -> None:
        """End it in order."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(START_SECONDS)
            self.process = None

    def _create(self, programs: Path) -> None:
        self.folder.mkdir(parents=True)
        _give_away(self.folder)
        options = ("-D", str(self.folder), "-U", self.superuser, "-A", "trust", "-N")
        command = (str(programs / "initdb"), *options)
        subprocess.run(_as_nobody(command), check=True, stdout=subprocess.DEVNULL, cwd="/")

    def _ask(self) -> None:
        psycopg.connect(self.url, connect_timeout=2).close()


def postgres_folder() -> Path | None:
    """Return where PostgreSQL's programs are, None when it is not installed."""
    folders = sorted(Path(PROGRAMS).glob("*/bin"), key=lambda path: int(path.parent.name))
    return folders[-1] if folders else None


def _give_away(path: Path) -> None:
    if os.getuid() == 0:
        shutil.chown(path, "postgres", "postgres")


def _as_nobody(command: tuple[str, ...]) -> tuple[str, ...]:
    """PostgreSQL refuses to run as root; Debian's package brings a user for it."""
    if os.getuid() != 0:
        return command
    return ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command)


def _spawn(command: tuple[str, ...], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/"
        )


def _wait(name: str, ask: Callable[[], object], errors: tuple[type[Exception], ...]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            ask()
        except errors as error:
            if time.monotonic() > deadline:
                raise StackError(f"{name} did not answer within {START_SECONDS:g} s: {error}") from error
            time.sleep(0.1)
        else:
            return

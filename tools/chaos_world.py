"""A whole Pagoda on this machine that may be hurt: its servers, its processes, its jobs."""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import django
import httpx
import psutil

from pagoda_worker.tether import tethered
from tools.servers import PostgresServer, RedisServer
from tools.stack import ADMIN, Stack, StackError, clean_environ, free_port, is_ready, prepare

ROOT = Path(__file__).parents[1]
BACKENDS = ("sqlite+files", "postgresql+redis")
LEASE_SECONDS = 4
SETTINGS = {
    "PLUGIN_EXAMPLES_DIR": str(ROOT / "tools" / "chaos_plugins"),
    "ENABLED_PLUGINS": "chaos,calm",
    "PLUGIN_OPERATION_ID_CONFIG": '{"chaos": [300, 399], "calm": [400, 499]}',
    "PLUGIN_WORKER_CONFIG": '{"chaos": {"concurrency": 3, "memory_mb": 512}}',
    "JOB_LEASE_SECONDS": str(LEASE_SECONDS),
    "JOB_CANCEL_GRACE_SECONDS": "2",
    "JOB_DISPATCH_INTERVAL_SECONDS": "0.2",
    "PAGODA_LOG_LEVEL": "INFO",
    "PAGODA_LOG_FORMAT": "json",
}


@dataclass(slots=True)
class FileBroker:
    """The embedded broker's folder; while it is gone, a file stands in its place."""

    folder: Path

    def stop(self) -> None:
        """Take the folder away, with the messages in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.touch()

    def start(self) -> None:
        """Give an empty folder back."""
        if self.folder.is_file():
            self.folder.unlink()


@dataclass(slots=True)
class World:
    """One Pagoda: use `start`, hurt it, and `stop` it."""

    backend: str
    folder: Path
    say: Callable[[str], None]
    extra: Mapping[str, str] = field(default_factory=dict)  # settings beside or instead of SETTINGS
    broker: RedisServer | FileBroker = field(init=False)
    postgres: PostgresServer | None = None
    stack: Stack = field(init=False)
    client: httpx.Client = field(init=False)

    def start(self) -> None:
        """Start servers, API and workers, and have this process see the same database."""
        environ = (
            clean_environ() | SETTINGS | dict(self.extra) | {"CHAOS_LOCK_DIR": str(self.folder / "locks")}
        )
        (self.folder / "locks").mkdir(parents=True)
        data = self.folder / "data"
        if self.backend == "postgresql+redis":
            environ |= self._start_servers()
        else:
            self.broker = FileBroker(data / "broker")
        self.stack = Stack(data, environ, self.say)
        password = secrets.token_urlsafe(16)
        prepare(self.stack, password)
        self._start_processes(password)
        os.environ.clear()
        os.environ.update(
            self.stack.environ, DJANGO_SETTINGS_MODULE="pagoda.settings", PAGODA_LOG_LEVEL="ERROR"
        )
        django.setup()

    def stop(self) -> None:
        """End everything that was started."""
        self.stack.stop()
        self.broker.stop()
        if self.postgres is not None:
            self.postgres.stop()

    def server_pids(self) -> list[int]:
        """Return the processes of PostgreSQL and Redis, where there are any."""
        servers = (self.postgres, self.broker)
        return [
            s.process.pid for s in servers if s is not None and not isinstance(s, FileBroker) and s.process
        ]

    def submit(self, operation: str, many: int = 1, **params: Any) -> list[int]:
        """Submit jobs of the chaos plugin and return their ids."""
        from pagoda.jobs.models import Job

        jobs = Job.objects.submit_many(
            plugin="chaos", operation_name=operation, user=None, params=[params] * many
        )
        return [job.pk for job in jobs]

    def wait(
        self, jobs: Iterable[int], limit_seconds: float, meanwhile: Callable[[], None] | None = None
    ) -> None:
        """Wait until all of the jobs have finished, calling `meanwhile` about once a second.

        Raises:
            StackError: some have not within the limit; it says where they are.
        """
        from pagoda.jobs.models import Job

        open_jobs = Job.objects.filter(pk__in=list(jobs), finished_at=None)
        deadline = time.monotonic() + limit_seconds
        while open_jobs.exists():
            if time.monotonic() > deadline:
                rest = [str(job) for job in open_jobs[:5]]
                raise StackError(
                    f"{open_jobs.count()} jobs unfinished after {limit_seconds:g} s, such as {rest}"
                )
            self.stack.check()
            time.sleep(1.0 if meanwhile else 0.1)
            if meanwhile:
                meanwhile()

    def workers(self, plugin: str = "chaos", *, parents_only: bool = False) -> list[psutil.Process]:
        """Return the processes that work for a plugin's queue."""
        found = [process for process in psutil.process_iter() if self._works_for(process, plugin)]
        pids = {process.pid for process in found}
        return [process for process in found if _parent_of(process) not in pids] if parents_only else found

    @contextmanager
    def second_worker(self) -> Iterator[None]:
        """Run one more worker for the chaos plugin beside those that `pagoda-worker up` keeps."""
        command = tethered((sys.executable, "-m", "pagoda_worker.cli", "run", "--plugin", "chaos"))
        with (self.stack.log_dir / "second-worker.log").open("wb") as output:
            process = subprocess.Popen(command, env=self.stack.environ, stdout=output, stderr=output)
            try:
                yield
            finally:
                process.terminate()
                process.wait(60)

    def kill_one(self, randomness: random.Random) -> bool:
        """End one process of a chaos worker that is up with -9, parent or child; False while none is up.

        A parent that is still starting is spared: it takes longer than the second between two kills.
        """
        processes = self.workers()
        children = {process.pid for process in processes if _parent_of(process) in {p.pid for p in processes}}
        up = [process for process in processes if process.pid in children or _has_child_in(process, children)]
        return bool(up) and signal_to(randomness.choice(up), signal.SIGKILL)

    def _start_servers(self) -> dict[str, str]:
        self.folder.chmod(0o755)  # PostgreSQL's own user has to get to its folder
        self.postgres = PostgresServer(self.folder / "postgres")
        self.postgres.start()
        self.broker = RedisServer(self.folder / "redis")
        self.broker.start()
        return {"DATABASE_URL": self.postgres.url, "BROKER_URL": self.broker.url}

    def _start_processes(self, password: str) -> None:
        port = free_port()
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        self.stack.start("api", "pagoda_api.cli", "serve", "--bind", f"127.0.0.1:{port}", "--workers", "2")
        self.stack.start("workers", "pagoda_worker.cli", "up")
        self.stack.wait_for("the API", lambda: is_ready(self.client), 60)
        token = self.client.post(
            "/api/v2/auth/token/", json={"username": ADMIN, "password": password}
        ).raise_for_status()
        self.client.headers["Authorization"] = f"Token {token.json()['token']}"
        self.stack.wait_for("the workers", self._no_workers_yet, 60)

    def _no_workers_yet(self) -> str | None:
        return None if len(self.workers()) >= 2 and self.workers("calm") else "starting"

    def _works_for(self, process: psutil.Process, plugin: str) -> bool:
        try:
            command = process.cmdline()
            which = ["--core"] if plugin == "core" else ["--plugin", plugin]
            is_worker = "run" in command and all(word in command for word in which)
            is_alive = process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
            return (
                is_worker
                and is_alive
                and process.environ().get("PAGODA_DATA_DIR") == str(self.stack.data_dir)
            )
        except psutil.Error:
            return False  # gone meanwhile, or another user's


def signal_to(process: psutil.Process, number: signal.Signals) -> bool:
    """Send a signal; False when the process has ended already."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


def _parent_of(process: psutil.Process) -> int | None:
    try:
        return int(process.ppid())
    except psutil.NoSuchProcess:
        return None


def _has_child_in(process: psutil.Process, pids: set[int]) -> bool:
    try:
        return any(child.pid in pids for child in process.children())
    except psutil.NoSuchProcess:
        return False


def effects_by_job(jobs: Iterable[int]) -> dict[int, list[int]]:
    """Return ``{job id: [attempt that recorded an effect, ...]}``."""
    from django.apps import apps

    found: dict[int, list[int]] = {job: [] for job in jobs}
    rows = apps.get_model("pagoda_chaos", "Effect").objects.filter(task="effect")
    for job, attempt in rows.values_list("job", "attempt"):
        if job in found:
            found[job].append(attempt)
    return found


def overlaps(jobs: Iterable[int]) -> int:
    """Return how often two processes ran one of the jobs at once."""
    from django.apps import apps

    return int(apps.get_model("pagoda_chaos", "Overlap").objects.filter(job__in=list(jobs)).count())


def log_events(world: World, *events: str) -> int:
    """Return how often the workers logged any of `events`."""
    lines = (world.stack.log_dir / "workers.log").read_text(errors="replace").splitlines()
    return sum(1 for line in lines if line.startswith("{") and json.loads(line).get("event") in events)

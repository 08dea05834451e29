"""The fixture `pagoda_stack`: API and worker as processes, on the embedded default (SQLite and files)."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.testing.database import database_allowed, host_class

READY_SECONDS = 90.0
STOP_SECONDS = 40.0  # a worker's soft shutdown, and a margin
POLL_SECONDS = 0.1
ADMIN = "admin"


class PagodaStack:
    """A running host with the project's plugins; `url` is the root of its API, `log_dir` holds its output."""

    def __init__(self, data_dir: Path, template: Path) -> None:
        self._template = template
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            bind = f"127.0.0.1:{probe.getsockname()[1]}"
        self.url = f"http://{bind}"
        self.password = secrets.token_urlsafe(16)
        self.log_dir = data_dir
        # The process was started with the project's settings already; these are those that differ.
        self._environ = {**os.environ, "PAGODA_DATA_DIR": str(data_dir), "API_BIND": bind, "API_WORKERS": "1"}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> PagodaStack:
        try:
            self._start("api", "pagoda_api.cli", "serve")
            self._start("workers", "pagoda_worker.cli", "up")
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def client(self, username: str = ADMIN, password: str | None = None) -> httpx.Client:
        """Return a client of the API that is logged in, as the administrator unless told otherwise."""
        body = {"username": username, "password": password or self.password}
        answer = httpx.post(f"{self.url}/api/v2/auth/token/", json=body, timeout=30)
        headers = {"Authorization": f"Token {answer.raise_for_status().json()['token']}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def wait_for_job(self, job_id: int, seconds: float = 60.0) -> dict[str, Any]:
        """Return a job as the API shows it, once it has ended.

        Raises:
            TimeoutError: it has not ended within so many seconds.
        """
        deadline = time.monotonic() + seconds
        with self.client() as client:
            while True:
                job: dict[str, Any] = client.get(f"/api/v2/jobs/{job_id}/").raise_for_status().json()
                if JobStatus(job["status"]).is_finished:
                    return job
                if time.monotonic() > deadline:
                    raise TimeoutError(f"Job {job_id} has not ended within {seconds:g} s: {job}")
                time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """End both processes and what they started; safe to call again."""
        for process in self._processes.values():
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._processes.clear()

    def prepare(self) -> None:
        """Make the database out of the one that this process has migrated, with the administrator in it."""
        hasher = PBKDF2PasswordHasher()  # as the processes have it; a faster one is for this one alone
        with host_class()(self._template, self.log_dir / "pagoda.sqlite3") as host:
            admin = host.user(ADMIN, is_superuser=True)
            admin.password = hasher.encode(self.password, hasher.salt())
            admin.save()

    def _start(self, name: str, *command: str) -> None:
        tether = ("pagoda_worker.tether", str(os.getpid()), sys.executable, "-m")  # it ends with this process
        with (self.log_dir / f"{name}.log").open("wb") as output:
            self._processes[name] = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", *tether, *command],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        missing = "no answer yet"
        while time.monotonic() < deadline and all(each.poll() is None for each in self._processes.values()):
            with contextlib.suppress(httpx.TransportError):
                answer = httpx.get(f"{self.url}/readyz", timeout=5)
                if answer.is_success:
                    return
                missing = answer.text
            time.sleep(POLL_SECONDS)
        logs = "\n".join(file.read_text(errors="replace")[-2000:] for file in self.log_dir.glob("*.log"))
        raise RuntimeError(f"The host was not ready within {READY_SECONDS:g} s: {missing}\n{logs}")


@pytest.fixture(scope="session")
def pagoda_stack(
    pagoda_template: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[PagodaStack]:
    """The host as processes, API and worker; the tests of a run share it, and what they write there."""
    stack = PagodaStack(tmp_path_factory.mktemp("stack"), pagoda_template)
    with database_allowed(request):
        stack.prepare()
    with stack:
        yield stack

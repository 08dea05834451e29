"""What code that wants out of its worker would try first."""

from __future__ import annotations

import ctypes
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from django.db import connection

from pagoda_plugin_sdk.tasks import JobContext, plugin_task

TIMEOUT_SECONDS = 3.0
IDLE = (sys.executable, "-c", "import time; time.sleep(60)")
BUSY = (
    sys.executable,
    "-c",
    "import time; until = time.monotonic() + 3\nwhile time.monotonic() < until: pass",
)


def outcome(attempt: Callable[[], object]) -> str:
    """Return ``allowed``, or the name of what stopped it."""
    try:
        attempt()
    except OSError as error:
        return error.strerror or type(error).__name__
    return "allowed"


@plugin_task(0)
def write(job: JobContext) -> dict[str, str]:
    """Create a file in each folder."""
    return {folder: outcome(Path(folder, "probe").touch) for folder in job.params["folders"]}


@plugin_task(1)
def privileges(_job: JobContext) -> dict[str, Any]:
    """Tell which rights the process has, and try for more."""
    libc = ctypes.CDLL(None, use_errno=True)

    def mount() -> None:
        if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "user": os.getuid(),
        "capabilities": {name: int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapInh")},
        "no new privileges": int(status["NoNewPrivs"]),
        "become root": outcome(lambda: os.setuid(0)),
        "mount": outcome(mount),
        "change owner": outcome(lambda: os.chown("/tmp", 0, 0)),
        "set-user-id programs that work": [path for path in _set_user_id() if _runs_as_root(path)],
    }


def _set_user_id() -> list[str]:
    folders = ("/bin", "/sbin", "/usr/bin", "/usr/sbin")
    found = (entry for folder in folders for entry in os.scandir(folder))
    return [entry.path for entry in found if entry.is_file() and entry.stat().st_mode & stat.S_ISUID]


def _runs_as_root(path: str) -> bool:
    """A set-user-id program that gets its owner's rights shows another effective user in /proc."""
    with subprocess.Popen(
        [path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            return any(line.split()[2] == "0" for line in lines if line.startswith("Uid:"))
        finally:
            process.kill()


@plugin_task(2, max_attempts=1)
def memory(job: JobContext) -> int:
    """Take memory and write to it; return how many megabytes there were."""
    eaten: list[bytearray] = []
    while len(eaten) < int(job.params["megabytes"]):
        eaten.append(bytearray(os.urandom(1024)) * 1024)
    return len(eaten)


@plugin_task(3)
def processes(job: JobContext) -> dict[str, Any]:
    """Start as many processes as there may be; return how many, and what stopped it."""
    started: list[subprocess.Popen[bytes]] = []
    stopped_by = "nothing"
    try:
        started.extend(subprocess.Popen(IDLE) for _ in range(int(job.params["count"])))
    except OSError as error:
        stopped_by = error.strerror or type(error).__name__
    finally:
        for process in started:
            process.kill()
            process.wait()
    return {"started": len(started), "stopped by": stopped_by}


@plugin_task(4)
def processor(job: JobContext) -> float:
    """Compute in several processes at once; return how many cores they had together."""
    before, began = os.times(), time.monotonic()
    burning = [subprocess.Popen(BUSY) for _ in range(int(job.params["processes"]))]
    for process in burning:
        process.wait()
    after, wall = os.times(), time.monotonic() - began
    used = (after.children_user + after.children_system) - (before.children_user + before.children_system)
    return used / wall


@plugin_task(5)
def connect(job: JobContext) -> dict[str, str]:
    """Open a connection to each ``name: [host, port]``."""

    return {name: outcome(partial(_open_to, *place)) for name, place in job.params["places"].items()}


def _open_to(host: str, port: int) -> None:
    socket.create_connection((host, port), timeout=TIMEOUT_SECONDS).close()


@plugin_task(6)
def look_around(_job: JobContext) -> dict[str, Any]:
    """Tell what a plugin's code can read without leaving its worker."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM user_user WHERE password <> ''")
        password_hashes = cursor.fetchone()[0]
    return {
        "password hashes": password_hashes,
        "secrets in its environment": sorted(
            {"DATABASE_URL", "BROKER_URL", "PAGODA_SECRET_KEY"} & os.environ.keys()
        ),
    }

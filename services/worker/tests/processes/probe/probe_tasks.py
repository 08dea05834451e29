"""Tasks that real workers run in tests; each does one thing that a worker must cope with."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from typing import Any

from django.db.backends.signals import connection_created

from pagoda_plugin_sdk.tasks import JobContext, plugin_task

_opened: Counter[int] = Counter()  # by process: a child has its parent's figures


def _count(**_: Any) -> None:
    if threading.current_thread() is threading.main_thread():  # jobs run there
        _opened[os.getpid()] += 1


connection_created.connect(_count)


@plugin_task
def whoami(job: JobContext) -> dict[str, Any]:
    """Tell which process ran it, and how many database connections it has opened for jobs."""
    return {"pid": os.getpid(), "parent": os.getppid(), "opened": _opened[os.getpid()], "params": job.params}


@plugin_task(max_attempts=2)
def vanish(_: JobContext) -> None:
    """End the process without a word."""
    os._exit(3)


@plugin_task(max_attempts=2)
def die_once(job: JobContext) -> int:
    """End the process in the first try alone."""
    if job.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return job.attempt


@plugin_task(soft_time_limit_seconds=600, hard_time_limit_seconds=601)
def hang(job: JobContext) -> None:
    """Ignore every wish to stop, with a process of its own below."""
    child = subprocess.Popen(["sleep", "600"])
    job.progress(50, f"{os.getpid()} {child.pid}")
    while True:
        try:
            time.sleep(600)
        except Exception:  # noqa: BLE001 - as bad tasks do
            continue


@plugin_task(soft_time_limit_seconds=1, hard_time_limit_seconds=2)
def overrun(job: JobContext) -> None:
    """Run past the hard limit, deaf to the soft one."""
    hang(job)


@plugin_task
def eat(job: JobContext) -> None:
    """Ask for more memory than there is."""
    megabytes = int(job.params["megabytes"])
    job.log.info("eaten", size=len(b"x" * (megabytes * 1024 * 1024)))


@plugin_task
def nap(job: JobContext) -> str:
    """Work for a while and say who does it."""
    job.progress(1, str(os.getpid()))
    time.sleep(float(job.params["seconds"]))
    return "rested"

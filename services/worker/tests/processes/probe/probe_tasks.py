"""Tasks that real workers run in tests; each does one thing that a worker must cope with."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any

from django.db.backends.signals import connection_created

from pagoda_plugin_sdk.operations import JobStatus
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


def square(number: int) -> int:
    """Work that another process does."""
    return number * number


@plugin_task(max_attempts=2)
def fork(job: JobContext) -> dict[str, Any]:
    """Fork; the child ends in the way that the params name, the parent says how it saw that."""
    child = os.fork()
    if not child:
        match job.params["child"]:
            case "exit":
                sys.exit(0)
            case "os._exit":
                os._exit(3)
            case "raise":
                raise ValueError("in the child")
            case "finish":
                job.finish(text="by the child")
            case "log":
                job.log.info("from the child")
        return {"child": "returned"}
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    job.log.info("from the parent")
    return {"pid": os.getpid(), "code": code}


@plugin_task
def spread(job: JobContext) -> list[int]:
    """Have processes of the standard library do the work."""
    method = job.params["method"]
    if method == "subprocess":
        command = [sys.executable, "-c", "print(9)"]
        return [int(subprocess.run(command, capture_output=True, check=True).stdout)]
    with multiprocessing.get_context(method).Pool(2) as pool:
        squares: list[int] = pool.map(square, [1, 2, 3])
        return squares


@plugin_task
def foreign(job: JobContext) -> Any:
    """Fail, report and return what no column holds."""
    job.log.info("a\x00b", x=float("nan"), y="\ud800")
    job.progress(50, "half\x00")
    match job.params["how"]:
        case "surrogate":
            raise ValueError("\ud800")
        case "NUL":
            raise ValueError("a\x00b")
        case "interrupt":
            raise KeyboardInterrupt("mine")
        case "result":
            return {"value": "\ud800"}
    return None


@plugin_task
def echo(job: JobContext) -> Any:
    """Say the text of these code points, so many times over, and the value that they stand in, by `how`."""
    text = "".join(map(chr, job.params["codes"])) * job.params["times"]
    value: Any = {"text": text, "number": float(job.params["number"])}
    for _ in range(job.params["depth"]):
        value = [value]
    match job.params["how"]:
        case "raise":
            raise ValueError(text)
        case "log":
            job.log.info(text, text=text, value=value)
        case "progress":
            job.progress(float(job.params["number"]), text)
        case "text":
            return JobStatus.DONE, text
        case "result":
            return value
    return None

"""What is done to jobs, and by jobs to their workers."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pagoda_chaos.models import Effect, Overlap
from pagoda_plugin_sdk.tasks import JobContext, plugin_task

MEGABYTE = 1024 * 1024


@contextmanager
def alone(job: JobContext) -> Iterator[None]:
    """Hold the job's lock file, which the kernel frees with the process; note it when another has it."""
    folder = Path(os.environ["CHAOS_LOCK_DIR"])
    with (folder / str(job.id)).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            Overlap.objects.create(job=job.id, attempt=job.attempt)
        yield


@plugin_task(0, max_attempts=100, hard_time_limit_seconds=120)
def effect(job: JobContext) -> None:
    """Work for a while, then record the effect and end the job together."""
    with alone(job):
        time.sleep(float(job.params.get("seconds", 0.05)))
        with job.fence():
            Effect.objects.create(job=job.id, attempt=job.attempt, task="effect")
            job.finish()


@plugin_task(1, max_attempts=10)
def pause(job: JobContext) -> None:
    """Wait in small steps, ready to be cancelled."""
    until = time.monotonic() + float(job.params.get("seconds", 0.05))
    while (left := until - time.monotonic()) > 0:
        job.checkpoint()
        time.sleep(min(left, 0.05))


@plugin_task(2)
def stubborn(_job: JobContext) -> None:
    """Never look whether somebody cancelled the job."""
    while True:
        pass


@plugin_task(3, max_attempts=2, retry_backoff_seconds=0.1)
def exit_hard(_job: JobContext) -> None:
    """End the process under the worker's feet."""
    os._exit(3)


@plugin_task(4, max_attempts=2, retry_backoff_seconds=0.1)
def eat_memory(_job: JobContext) -> None:
    """Take memory until there is none left."""
    eaten = []
    while True:
        eaten.append(bytearray(16 * MEGABYTE))


@plugin_task(5, schedule="* * * * *")
def tick(job: JobContext) -> None:
    """Record that the minute's run happened."""
    Effect.objects.create(job=job.id, attempt=job.attempt, task="tick")


@plugin_task(6)
def noop(_job: JobContext) -> None:
    """Do nothing."""

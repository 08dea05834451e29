"""The pool of a worker on the embedded broker, whose queues a killed child does not lock for ever.

Without an event loop, which kombu has for Redis and RabbitMQ alone, all children read one pipe and answer by
another, one at a time. The original keeps order by semaphores: an idle child waits with one in its hand, and
whoever kills it (the kernel, short of memory, or an operator) takes the worker's queue away.
"""

from __future__ import annotations

import fcntl
import os
import tempfile

from billiard import pool
from celery.concurrency import prefork


class ProcessLock:
    """A lock between a process and those forked from it, which the kernel gives back when its holder ends."""

    def __init__(self) -> None:
        with tempfile.TemporaryFile() as file:
            self._file = os.dup(
                file.fileno()
            )  # a record lock is its process's own, although forks share the file

    def acquire(self) -> bool:
        """Wait for the lock and take it."""
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Give it back."""
        fcntl.lockf(self._file, fcntl.LOCK_UN)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class LockingPool(pool.Pool):
    """Billiard's pool with such locks on its queues."""

    def _setup_queues(self) -> None:
        super()._setup_queues()  # type: ignore[misc]  # billiard's stubs lack it
        for name in ("_inqueue", "_outqueue"):
            vars(vars(self)[name]).update(_rlock=ProcessLock(), _wlock=ProcessLock())


class TaskPool(prefork.TaskPool):
    """Celery's prefork pool: this one on brokers without an event loop, its own on the others."""

    BlockingPool = LockingPool

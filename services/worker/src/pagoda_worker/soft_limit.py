"""The soft time limit of a task: an error raised inside it, so that it can end in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pagoda.jobs import store
from pagoda.jobs.sayings import SOFT_LIMIT
from pagoda_plugin_sdk.exceptions import JobTimeLimitExceeded


@contextmanager
def soft_limit(attempt: store.Attempt) -> Iterator[None]:
    """Raise `JobTimeLimitExceeded` inside the block once it runs past the job's soft limit.

    It interrupts sleeping and waiting for sockets. Other threads than the main one get no signals:
    tasks learn of the limit there in `checkpoint()`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def expire(_number: int, _frame: FrameType | None) -> None:
        raise JobTimeLimitExceeded(
            SOFT_LIMIT.format(job=attempt.job_id, seconds=f"{attempt.soft_limit_seconds:g}")
        )

    replaced = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, attempt.soft_limit_seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, replaced)

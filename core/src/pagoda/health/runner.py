"""Run checks side by side, each with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextvars import copy_context
from datetime import timedelta
from queue import Empty, SimpleQueue
from threading import Lock, Thread

import structlog
from django.db import connections

from pagoda.health.results import CheckFailed, CheckResult, CheckStatus, Finding

Check = Callable[[], Finding]
"""Raises `CheckFailed`, or anything, when what it looks at does not work."""

log = structlog.get_logger(__name__)


class CheckRunner:
    """Runs checks in threads of their own, so that the slowest can't hold the answer up.

    Nothing can end a thread that hangs in a dead connection: its check is not started again meanwhile.
    Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._hanging: dict[str, Thread] = {}
        self._lock = Lock()

    def run(self, checks: Mapping[str, Check], *, timeout: timedelta) -> tuple[CheckResult, ...]:
        """Return one result per check, in the order of `checks`, after `timeout` at the latest."""
        started = time.monotonic()
        results: SimpleQueue[CheckResult] = SimpleQueue()
        waiting = {name for name, check in checks.items() if self._start(name, check, results)}
        finished: dict[str, CheckResult] = {}
        while waiting - finished.keys():
            left = started + timeout.total_seconds() - time.monotonic()
            try:
                result = results.get(timeout=max(left, 0))
            except Empty:
                break
            finished[result.name] = result
        return tuple(finished.get(name) or _no_answer(name, timeout) for name in checks)

    def _start(self, name: str, check: Check, results: SimpleQueue[CheckResult]) -> bool:
        context = copy_context()  # the ids of the request, for what the check logs
        thread = Thread(
            target=context.run, args=(_run_one, name, check, results), name=f"check-{name}", daemon=True
        )
        with self._lock:
            before = self._hanging.get(name)
            if before is not None and before.is_alive():
                return False
            self._hanging[name] = thread
            thread.start()
        return True


def _run_one(name: str, check: Check, results: SimpleQueue[CheckResult]) -> None:
    try:
        results.put(run_check(name, check))
    finally:
        connections.close_all()  # this thread's own


def run_check(name: str, check: Check) -> CheckResult:
    """Run one check here and now; what it raises becomes its result."""
    started = time.monotonic()
    try:
        found = check()
        status = CheckStatus.OK
    except CheckFailed as error:
        found, status = Finding(text=str(error)), CheckStatus.FAILED
    except Exception as error:
        log.warning("health_check_failed", check=name, exc_info=True)
        # The class alone: a driver's message may quote the URL with its password. The log has the rest.
        found, status = Finding(text=f"{type(error).__name__}, see the log"), CheckStatus.FAILED
    return CheckResult(
        name=name,
        status=status,
        text=found.text,
        data=found.data,
        duration_seconds=time.monotonic() - started,
    )


def _no_answer(name: str, timeout: timedelta) -> CheckResult:
    seconds = timeout.total_seconds()
    text = f"no answer within {seconds:g} s"
    return CheckResult(name=name, status=CheckStatus.TIMEOUT, text=text, duration_seconds=seconds)

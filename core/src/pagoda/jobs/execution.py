"""The attempt that the current code runs in, and the log it writes to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from pagoda import running
from pagoda.jobs import store
from pagoda.jobs.job_errors import JobLost
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.washing import washed, washed_json

MESSAGE_MAX = 10_000
EXTRA_MAX_BYTES = 20_000


def transaction_depth() -> int:
    """Return how many transactions and savepoints are open."""
    return len(connection.atomic_blocks)


@dataclass(slots=True)
class JobLogWriter:
    """Keeps lines with the job. Inside a transaction they wait for its end: a rollback spares them."""

    job_id: int
    attempt_number: int
    waiting: list[store.JobLogLine] = field(default_factory=list)
    depth: int = field(default_factory=transaction_depth)  # when the task began

    def debug(self, message: str, **extra: Any) -> None:
        """Keep a line that helps to find faults."""
        self._add("debug", message, extra)

    def info(self, message: str, **extra: Any) -> None:
        """Keep a line about what was done."""
        self._add("info", message, extra)

    def warning(self, message: str, **extra: Any) -> None:
        """Keep a line about something to look at."""
        self._add("warning", message, extra)

    def error(self, message: str, **extra: Any) -> None:
        """Keep a line about something that failed."""
        self._add("error", message, extra)

    def flush(self) -> None:
        """Store the waiting lines, unless the task has a transaction open."""
        if transaction_depth() == self.depth:
            self.store()

    @running.as_host()
    def store(self) -> None:
        """Store the waiting lines."""
        if not self.waiting:
            return
        lines, self.waiting = self.waiting, []
        store.add_log(self.job_id, self.attempt_number, lines)

    def _add(self, level: str, message: str, extra: dict[str, Any]) -> None:
        values = washed_json(extra, max_bytes=EXTRA_MAX_BYTES)
        line = store.JobLogLine(level=level, message=washed(message, MESSAGE_MAX), extra=values)
        self.waiting.append(line)
        self.flush()


@dataclass(slots=True)
class Execution:
    """One run of a task under a claim."""

    attempt: store.Attempt
    log: JobLogWriter = field(init=False)
    is_ended: bool = False  # the task ended the job itself
    saw_cancel: bool = False  # the task was told to stop
    depth: int = field(default_factory=transaction_depth)  # when the task began
    pid: int = field(default_factory=os.getpid)  # of the process that has the claim, no fork of it

    def __post_init__(self) -> None:
        self.log = JobLogWriter(self.attempt.job_id, self.attempt.number)

    @running.as_host()
    def end(self, status: JobStatus, *, text: str | None = None, error: str = "", result: Any = None) -> None:
        """End the job; inside a transaction, together with it.

        Raises:
            JobLost: the claim is gone, or is the one of the process that forked this one; nothing was stored.
        """
        if os.getpid() != self.pid or not store.finish(
            self.attempt, status, text=text, error=error, result=result
        ):
            raise lost(self.attempt)
        if self.is_in_transaction:
            transaction.on_commit(self._note_end)
        else:
            self._note_end()

    @property
    def is_in_transaction(self) -> bool:
        """Return whether the task has a transaction open."""
        return transaction_depth() > self.depth

    @running.as_host()
    def is_asked_to_stop(self) -> bool:
        """Return whether somebody cancelled the job; reads the database.

        Raises:
            JobLost: the claim is gone.
        """
        asked = store.is_asked_to_stop(self.attempt)
        if asked is None:
            raise lost(self.attempt)
        self.saw_cancel = self.saw_cancel or asked
        return asked

    def _note_end(self) -> None:
        self.is_ended = True


_current: ContextVar[Execution | None] = ContextVar("pagoda_job_execution", default=None)


def current_execution() -> Execution | None:
    """Return the run of a task that the calling code is part of."""
    return _current.get()


@contextmanager
def executing(attempt: store.Attempt) -> Iterator[Execution]:
    """Have the block be the run of `attempt`."""
    execution = Execution(attempt)
    token = _current.set(execution)
    try:
        yield execution
    finally:
        _current.reset(token)


def lost(attempt: store.Attempt) -> JobLost:
    """Return the error that says that the claim of `attempt` is gone."""
    return JobLost(
        f"Attempt {attempt.number} of job {attempt.job_id} has lost its claim: another worker took the job "
        "over, or it ended. What was to be stored is not."
    )

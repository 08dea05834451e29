"""An attempt: one worker process's try at a job, and the fence that its writes go through.

The number and the owner of the attempt are the fencing token: a worker which lost its claim changes nothing.
What a worker does per job is SQL by hand, as these statements are most of what a job costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from pagoda.jobs.transitions import Event, sources
from pagoda_plugin_sdk.operations import JobStatus

LONGEST_BACKOFF_SECONDS = 6 * 3600.0

COLUMNS = (
    "id, attempt, lease_owner, plugin, operation, operation_name, user_id, request_id, soft_limit_seconds, "
    "hard_limit_seconds, attempt - attempt_base, max_attempts, retry_backoff_seconds, lost_count"
)
"""What `Attempt.of_row` takes, in its order."""

FENCE = f"id = %s AND attempt = %s AND lease_owner = %s AND status = {int(JobStatus.PROCESSING)}"
"""The condition of every write of an attempt; its parameters are `Attempt.token`."""

UNCLAIMED = f"status = {int(JobStatus.PROCESSING)} AND lease_expires_at IS NULL"
"""The condition of a job that waits for a worker, or for its turn."""

RELEASED = "lease_owner = '', lease_expires_at = NULL"
"""The assignments that end a claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at a job by one worker process, and what that process has to know of the job."""

    job_id: int
    number: int  # of claims of this job, from 1
    owner: str  # node/pid
    plugin: str
    operation: int
    operation_name: str
    user_id: int | None
    request_id: str
    soft_limit_seconds: float
    hard_limit_seconds: float
    tries: int  # that count, this one included, since the job was last asked for
    max_attempts: int
    retry_backoff_seconds: float | None  # None: an exception is final
    lost_count: int  # workers lost before

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> Attempt:
        """Return the attempt in a row of `COLUMNS`."""
        return cls(**dict(zip(cls.__slots__, row, strict=True)))

    @property
    def token(self) -> tuple[int, int, str]:
        """Return what fences its writes."""
        return self.job_id, self.number, self.owner

    @property
    def pid(self) -> int:
        """Return the id of the process that has it."""
        return int(self.owner.rpartition("/")[2])

    @property
    def has_tries_left(self) -> bool:
        """Return whether the job may be tried again after this."""
        return self.tries < self.max_attempts

    @property
    def backoff_seconds(self) -> float:
        """Return the wait before the next try: the first one, doubled for each try before."""
        first = self.retry_backoff_seconds or 0.0
        return float(min(first * 2 ** min(self.tries - 1, 40), LONGEST_BACKOFF_SECONDS))


def owner_of(node: str, pid: int) -> str:
    """Return the name under which process `pid` of `node` holds its claims."""
    return f"{node}/{pid}"


def allowed(event: Event, target: JobStatus) -> str:
    """Return the condition that the table of transitions sets for `event` to end in `target`."""
    return f"status IN ({', '.join(str(int(status)) for status in sources(event, target))})"


def execute(sql: str, parameters: Iterable[Any]) -> list[Any]:
    """Run a statement and return its rows; one that changes rows ends in RETURNING."""
    with connection.cursor() as cursor:
        cursor.execute(sql, list(parameters))
        rows: list[Any] = cursor.fetchall()
        return rows


def changed(sql: str, parameters: Iterable[Any]) -> bool:
    """Run an UPDATE without RETURNING and return whether it changed a row."""
    with connection.cursor() as cursor:
        cursor.execute(sql, list(parameters))
        return bool(cursor.rowcount)


def savepoint() -> AbstractContextManager[Any]:
    """Return a block whose failure leaves a transaction around it usable; free outside of one."""
    return transaction.atomic() if connection.in_atomic_block else nullcontext()

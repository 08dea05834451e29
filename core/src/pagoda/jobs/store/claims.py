"""Claims: taking a job, keeping it, and learning what is asked of it meanwhile.

An attempt is one worker process's try at a job. Its number and its owner are the fencing token: a worker
which lost its claim changes nothing. What a worker does per job is SQL by hand, as these statements are most
of what a job costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, connection, transaction

from pagoda.domain.planning import keeping_plan
from pagoda.jobs.clock import sql_after, sql_now
from pagoda.jobs.transitions import Event, sources
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.washing import washed

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
    with keeping_plan() as cursor:
        cursor.execute(sql, list(parameters))
        rows: list[Any] = cursor.fetchall()
        return rows


def changed(sql: str, parameters: Iterable[Any]) -> bool:
    """Run an UPDATE without RETURNING and return whether it changed a row."""
    with keeping_plan() as cursor:
        cursor.execute(sql, list(parameters))
        return bool(cursor.rowcount)


def savepoint() -> AbstractContextManager[Any]:
    """Return a block whose failure leaves a transaction around it usable; free outside of one."""
    return transaction.atomic() if connection.in_atomic_block else nullcontext()


SERIAL_RETRY_SECONDS = 1.0
"""A job that may not run beside the one that runs is offered again after this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What a heartbeat found; an attempt is in several when several hold."""

    lost: tuple[Attempt, ...]  # the claim is gone: kill the process, write nothing
    cancel_overdue: tuple[Attempt, ...]  # asked to stop, and the grace is over: kill
    past_hard_limit: tuple[Attempt, ...]  # kill


def claim(job_id: int, owner: str, lease_seconds: float, *, queue: str | None = None) -> Attempt | None:
    """Take the job for `owner`; None when it is not to be run now: taken, ended, waiting, not due.

    None too for a job of another queue than `queue`, if that is given: the message lied. `owner` comes from
    `owner_of`. The claim lasts for `lease_seconds` unless `heartbeat` renews it.
    """
    now = sql_now()
    sql = f"""
        UPDATE job_job SET lease_owner = %s, lease_expires_at = {sql_after()}, attempt = attempt + 1,
            started_at = {now}, updated_at = {now},
            publish_at = NULL, hold_reason = '', error = ''
        WHERE id = %s AND {allowed(Event.CLAIM, JobStatus.PROCESSING)} AND {UNCLAIMED} AND NOT is_waiting
            AND cancel_requested_at IS NULL AND (run_at IS NULL OR run_at <= {now}) {_of(queue)}
        RETURNING {COLUMNS}"""
    try:
        with savepoint():
            rows = execute(sql, (owner, float(lease_seconds), job_id, *_given(queue)))
    except IntegrityError:  # of job_serial: another job of its target runs
        _offer_again(job_id, SERIAL_RETRY_SECONDS)
        return None
    return Attempt.of_row(rows[0]) if rows else None


def attempts_of(node: str) -> tuple[Attempt, ...]:
    """Return the attempts that the processes of `node` hold, by job."""
    sql = f"""SELECT {COLUMNS} FROM job_job
        WHERE lease_expires_at IS NOT NULL AND SUBSTR(lease_owner, 1, %s) = %s ORDER BY id"""
    prefix = f"{node}/"
    return tuple(Attempt.of_row(row) for row in execute(sql, (len(prefix), prefix)))


def heartbeat(attempts: Iterable[Attempt], lease_seconds: float, *, cancel_grace_seconds: float) -> Heartbeat:
    """Renew the claims of processes that live, and return what is to be done about them.

    Call it several times per lease, with the attempts whose processes are known to be alive.
    """
    held = tuple(attempts)
    facts = _renew(held, lease_seconds, cancel_grace_seconds) if held else {}
    missing = tuple(attempt for attempt in held if attempt.token not in facts)
    still_held = _held_tokens(missing) if missing else frozenset()

    def having(index: int) -> tuple[Attempt, ...]:
        return tuple(a for a in held if a.token in facts and facts[a.token][index])

    return Heartbeat(
        lost=tuple(attempt for attempt in missing if attempt.token not in still_held),
        cancel_overdue=having(0),
        past_hard_limit=having(1),
    )


def lock(attempt: Attempt) -> bool:
    """Return whether the claim holds, and keep it so until the current transaction ends.

    What a task writes in that transaction is then stored only if its claim still held.
    """
    suffix = " FOR UPDATE" if connection.vendor == "postgresql" else ""
    return bool(execute(f"SELECT id FROM job_job WHERE {FENCE}{suffix}", attempt.token))


def is_asked_to_stop(attempt: Attempt) -> bool | None:
    """Return whether somebody cancelled the job; None when the claim is gone."""
    rows = execute(f"SELECT cancel_requested_at FROM job_job WHERE {FENCE}", attempt.token)
    return rows[0][0] is not None if rows else None


def hold(job_id: int, reason: str, *, delay_seconds: float, queue: str | None = None) -> bool:
    """Say why a queued job stays queued, and offer it again after `delay_seconds`.

    Return False, and change nothing, when no such job is queued, in `queue` if that is given.
    """
    sql = f"""UPDATE job_job SET hold_reason = %s, publish_at = {sql_after()}, updated_at = {sql_now()}
        WHERE id = %s AND {UNCLAIMED} {_of(queue)}"""
    return changed(sql, (washed(reason, 500), float(delay_seconds), job_id, *_given(queue)))


def _of(queue: str | None) -> str:
    return "" if queue is None else "AND queue = %s"


def _given(queue: str | None) -> tuple[str, ...]:
    return () if queue is None else (queue,)


def _offer_again(job_id: int, delay_seconds: float) -> None:
    changed(
        f"UPDATE job_job SET publish_at = {sql_after()}, published_at = NULL WHERE id = %s AND {UNCLAIMED}",
        (delay_seconds, job_id),
    )


def _renew(
    attempts: Sequence[Attempt], lease_seconds: float, cancel_grace_seconds: float
) -> dict[tuple[int, int, str], tuple[bool, ...]]:
    """Renew what is free to be renewed; a row that a task's transaction has locked is left for next time."""
    now, marks = sql_now(), ", ".join(["%s"] * len(attempts))
    ids = [attempt.job_id for attempt in attempts]
    free = f"SELECT id FROM job_job WHERE id IN ({marks})"
    if connection.vendor == "postgresql":
        free += " FOR NO KEY UPDATE SKIP LOCKED"
    # No `IS NOT NULL` in RETURNING: SQLite 3.40 answers true there, whatever the column holds
    facts = ", ".join(
        f"CASE WHEN {moment} <= {now} THEN 1 ELSE 0 END"
        for moment in (
            sql_after(base="cancel_requested_at"),
            sql_after("hard_limit_seconds", base="started_at"),
        )
    )
    sql = f"""
        UPDATE job_job SET lease_expires_at = {sql_after()}
        WHERE id IN ({free}) AND lease_owner IN ({marks}) AND status = {int(JobStatus.PROCESSING)}
        RETURNING id, attempt, lease_owner, {facts}"""
    owners = [attempt.owner for attempt in attempts]
    rows = execute(sql, [float(lease_seconds), *ids, *owners, float(cancel_grace_seconds)])
    return {(row[0], row[1], row[2]): tuple(map(bool, row[3:])) for row in rows}


def _held_tokens(attempts: Sequence[Attempt]) -> frozenset[tuple[int, int, str]]:
    marks = ", ".join(["%s"] * len(attempts))
    sql = f"""SELECT id, attempt, lease_owner FROM job_job
        WHERE id IN ({marks}) AND status = {int(JobStatus.PROCESSING)}"""
    return frozenset(tuple(row) for row in execute(sql, [attempt.job_id for attempt in attempts]))

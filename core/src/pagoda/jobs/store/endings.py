"""How an attempt ends (finished, failed, cancelled, killed, lost, given back), and what it tells before."""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models import QuerySet
from django.dispatch import Signal

from pagoda.jobs import sayings
from pagoda.jobs.clock import sql_after, sql_now
from pagoda.jobs.foreign import file_facts, job_text
from pagoda.jobs.models import Job, JobFile, JobLog
from pagoda.jobs.store.claims import FENCE, RELEASED, Attempt, allowed, changed, lock
from pagoda.jobs.store.drafts import target_fields
from pagoda.jobs.transitions import Event
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.washing import washed

job_ended = Signal()
"""Sent with ``ended``, once per job and run, when the end is committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A job that ended."""

    plugin: str  # "" for the host's
    operation: int
    status: JobStatus


def tell_ended(plugin: str, operation: int, status: JobStatus) -> None:
    """Tell it when the current transaction is committed, at once outside of one."""
    ended = Ended(plugin=plugin, operation=operation, status=status)
    transaction.on_commit(lambda: _send(ended), robust=True)


def _send(ended: Ended) -> None:
    job_ended.send_robust(sender=Ended, ended=ended)


REASON_MAX = 500


@enum.unique
class Failure(enum.Enum):
    """What became of a job whose task raised, or whose worker was lost."""

    RETRIED = "retried"  # it runs again
    ENDED = "ended"  # ERROR, or CANCELED when that was asked for
    FENCED = "fenced"  # the claim was gone; nothing changed


def finish(
    attempt: Attempt, status: JobStatus, *, text: str | None = None, error: str = "", result: Any = None
) -> bool:
    """End the job in `status`; False, with nothing changed, when the claim is gone.

    `text` None leaves the text as it is; `result` is a JSON value.
    """
    text = None if text is None else job_text(text)
    now = sql_now()
    percent = "100" if status == JobStatus.DONE else "progress_percent"
    sql = f"""
        UPDATE job_job SET status = %s, text = COALESCE(%s, text), error = %s, result = %s,
            finished_at = {now}, updated_at = {now}, progress_percent = {percent}, publish_at = NULL,
            hold_reason = '', {RELEASED}
        WHERE {FENCE} AND {allowed(Event.FINISH, status)}"""
    stored = None if result is None else json.dumps(result)
    is_ended = changed(sql, (int(status), text, error, stored, *attempt.token))
    return _told(attempt, status, is_ended=is_ended)


def finish_canceled(attempt: Attempt, *, text: str | None = None) -> bool:
    """End the job in CANCELED if somebody asked for that; False when nobody did or the claim is gone."""
    now = sql_now()
    sql = f"""
        UPDATE job_job SET status = %s, text = COALESCE(%s, text), finished_at = {now}, updated_at = {now},
            publish_at = NULL, {RELEASED}
        WHERE {FENCE} AND {allowed(Event.FINISH, JobStatus.CANCELED)} AND cancel_requested_at IS NOT NULL"""
    is_ended = changed(sql, (int(JobStatus.CANCELED), text, *attempt.token))
    return _told(attempt, JobStatus.CANCELED, is_ended=is_ended)


def fail_attempt(attempt: Attempt, *, error: str, text: str = "") -> Failure:
    """Record that the task raised: try again after the back-off while tries are left, else end in ERROR.

    A job that is asked to stop ends in CANCELED instead of being tried again.
    """
    if attempt.retry_backoff_seconds is not None and attempt.has_tries_left:
        if _try_again(attempt, wait_seconds=attempt.backoff_seconds, error=error, text=text):
            return Failure.RETRIED
        if finish_canceled(attempt, text=text):
            return Failure.ENDED
    return Failure.ENDED if finish(attempt, JobStatus.ERROR, text=text, error=error) else Failure.FENCED


def lose(attempt: Attempt, *, cause: str) -> Failure:
    """Record that the worker is gone: queue the job anew while tries are left, else end it as poison."""
    if finish_canceled(attempt, text=sayings.CANCELED_WORKER_GONE):
        return Failure.ENDED
    if attempt.has_tries_left:
        is_queued = _try_again(
            attempt, wait_seconds=0.0, error=sayings.LOST.format(cause=cause), text="", lost=1
        )
        return Failure.RETRIED if is_queued else Failure.FENCED
    lost = attempt.lost_count + 1
    template = sayings.LOST_ONCE if lost == 1 else sayings.LOST_OFTEN
    error = template.format(lost=lost, cause=cause)
    return Failure.ENDED if finish(attempt, JobStatus.ERROR, error=error) else Failure.FENCED


def end_killed(attempt: Attempt) -> bool:
    """Record that the worker killed the task on purpose: CANCELED if that was asked for, else TIMEOUT."""
    if finish_canceled(attempt, text=sayings.CANCELED_KILLED):
        return True
    return time_out(attempt)


def time_out(attempt: Attempt) -> bool:
    """End the job in TIMEOUT for its hard limit; False when the claim is gone."""
    error = sayings.HARD_LIMIT.format(seconds=f"{attempt.hard_limit_seconds:g}")
    return finish(attempt, JobStatus.TIMEOUT, error=error)


def release(attempt: Attempt, *, reason: str, delay_seconds: float = 0.0) -> bool:
    """Give the job back to its queue, to be published after `delay_seconds`; False when the claim is gone.

    The try does not count: a worker that stops, or can't run the operation, is not the job's fault.
    `reason` is shown until the next claim. A job that is asked to stop ends in CANCELED instead.
    """
    sql = f"""
        UPDATE job_job SET attempt_base = attempt_base + 1, hold_reason = %s, publish_at = {sql_after()},
            published_at = NULL, task_id = %s, updated_at = {sql_now()}, {RELEASED}
        WHERE {FENCE} AND {allowed(Event.RELEASE, JobStatus.PROCESSING)} AND cancel_requested_at IS NULL"""
    is_released = changed(
        sql, (washed(reason, REASON_MAX), float(delay_seconds), str(uuid4()), *attempt.token)
    )
    return is_released or finish_canceled(attempt, text=sayings.CANCELED_AS.format(reason=reason))


def _told(attempt: Attempt, status: JobStatus, *, is_ended: bool) -> bool:
    if is_ended:
        tell_ended(attempt.plugin, attempt.operation, status)
    return is_ended


def _try_again(attempt: Attempt, *, wait_seconds: float, error: str, text: str, lost: int = 0) -> bool:
    sql = f"""
        UPDATE job_job SET run_at = {sql_after()}, publish_at = {sql_after()}, published_at = NULL,
            error = %s, text = %s, lost_count = lost_count + %s, task_id = %s, updated_at = {sql_now()},
            {RELEASED}
        WHERE {FENCE} AND {allowed(Event.RELEASE, JobStatus.PROCESSING)} AND cancel_requested_at IS NULL"""
    values = (wait_seconds, wait_seconds, error, text, lost, str(uuid4()))
    return changed(sql, (*values, *attempt.token))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLogLine:
    """A line for the job's log."""

    level: str  # debug, info, warning, error
    message: str
    extra: dict[str, Any] = field(default_factory=dict)  # JSON values


def set_progress(attempt: Attempt, percent: float, text: str) -> bool:
    """Store how far the task is, 0 to 100; False when the claim is gone."""
    bounded = min(max(float(percent), 0.0), 100.0) if math.isfinite(percent) else 0.0
    sql = f"""UPDATE job_job SET progress_percent = %s, progress_text = %s, updated_at = {sql_now()}
        WHERE {FENCE}"""
    return changed(sql, (bounded, washed(text, 200), *attempt.token))


def set_text(attempt: Attempt, text: object) -> bool:
    """Store what people are told; False when the claim is gone."""
    sql = f"UPDATE job_job SET text = %s, updated_at = {sql_now()} WHERE {FENCE}"
    return changed(sql, (job_text(text), *attempt.token))


def point_at(attempt: Attempt, target: Any) -> bool:
    """Have the job of `attempt` point at `target`; False when the claim is gone."""
    return bool(held(attempt.job_id, attempt).update(**target_fields(target)))


def held(job_id: int, attempt: Attempt | None) -> QuerySet[Job]:
    """Return the job as a queryset that is empty unless `attempt`, or without one nobody, has it."""
    jobs = Job.objects.filter(pk=job_id)
    if attempt is None:
        return jobs.filter(lease_expires_at=None)
    return jobs.filter(attempt=attempt.number, lease_owner=attempt.owner, status=JobStatus.PROCESSING)


def add_log(job_id: int, attempt_number: int, lines: Sequence[JobLogLine]) -> None:
    """Add lines to the job's log. They are kept whoever has the claim: they say what happened."""
    JobLog.objects.bulk_create(
        JobLog(
            job_id=job_id, attempt=attempt_number, level=line.level, message=line.message, extra=line.extra
        )
        for line in lines
    )


def attach_file(attempt: Attempt, *, name: str, content: bytes, content_type: str) -> bool:
    """Keep a file with the job, in place of an earlier one; False when the claim is gone.

    Call it inside a transaction.
    """
    if not lock(attempt):
        return False
    JobFile.objects.update_or_create(job_id=attempt.job_id, defaults={"content": content})
    sql = f"""UPDATE job_job SET file_name = %s, file_type = %s, file_size = %s, updated_at = {sql_now()}
        WHERE {FENCE}"""
    return changed(sql, (*file_facts(name, content_type), len(content), *attempt.token))

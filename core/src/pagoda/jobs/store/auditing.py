"""What people do with jobs, for the audit log; the host's own hidden jobs are its business."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.db import connection, transaction

from pagoda.audit.actions import Action
from pagoda.audit.recording import Record, record_all
from pagoda.jobs import operations
from pagoda.jobs.models import Job


def one_transaction() -> AbstractContextManager[Any]:
    """Return a block in which a change of a job and its event stand or fall together; free inside of one."""
    return nullcontext() if connection.in_atomic_block else transaction.atomic()


def record_jobs(action: Action, jobs: Sequence[Job]) -> None:
    """Record what is done to these jobs, which are of one operation, as one event."""
    if jobs and (event := event_of(action, jobs)) is not None:
        record_all([event])


def event_of(action: Action, jobs: Sequence[Job]) -> Record | None:
    """Return the event of something done to jobs of one operation; None for the host's hidden ones."""
    first = jobs[0]
    if first.operation in operations.hidden_numbers():
        return None
    details: dict[str, Any] = {"job_plugin": first.plugin} if first.plugin else {}
    if len(jobs) > 1:
        details["job_ids"] = [job.pk for job in jobs]
    return Record(
        action=action,
        subject_type="job",
        subject_id=first.pk,
        subject=f"{first.plugin or 'core'}.{first.operation_name}",
        details=details,
        user=first.user if action is Action.JOB_SUBMITTED else None,
    )

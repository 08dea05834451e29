"""What a running task tells about itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pagoda.jobs.clock import sql_now
from pagoda.jobs.foreign import file_facts, job_text
from pagoda.jobs.models import JobFile, JobLog
from pagoda.jobs.store.attempt import FENCE, Attempt, changed
from pagoda.jobs.store.claims import lock
from pagoda.washing import washed


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
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


def add_log(job_id: int, attempt_number: int, lines: Sequence[LogLine]) -> None:
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

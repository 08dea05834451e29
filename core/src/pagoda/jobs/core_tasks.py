"""The host's own operations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pagoda.jobs import deferred, runtime, store
from pagoda.jobs.operations import register_job_task
from pagoda_plugin_sdk.operations import JobOperation
from pagoda_plugin_sdk.tasks import JobContext, TaskOptions


@register_job_task(
    JobOperation.PURGE_JOBS,
    is_hidden=True,
    options=TaskOptions(schedule="17 * * * *", singleton=True),
)
def purge_jobs(_job: JobContext) -> dict[str, Any]:
    """Remove the jobs that finished longer ago than JOB_RETENTION_DAYS."""
    removed = store.purge(timedelta(days=runtime.host_settings().job_retention_days))
    return {"removed": removed}


@register_job_task(
    JobOperation.RUN_DEFERRED_HOOK,
    is_hidden=True,
    is_cancelable=False,
    options=TaskOptions(max_attempts=3),
)
def run_deferred_hook(job: JobContext) -> None:
    """Run one deferred hook handler on the object as it is now."""
    deferred.run(job.params, job.user)


@register_job_task(JobOperation.CANARY, is_hidden=True, options=TaskOptions(max_attempts=1))
def canary(job: JobContext) -> dict[str, Any]:
    """Say that a worker of the queue runs jobs."""
    return {"attempt": job.attempt}

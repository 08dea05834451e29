"""The host's own operations, and the canaries: jobs that do nothing, to see whether a queue has a worker."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog

from pagoda.domain.value_indexes import make_indexes
from pagoda.jobs import deferred, operations, runtime, store
from pagoda.jobs.celery import queue_names
from pagoda.jobs.job_errors import UnknownQueue
from pagoda.jobs.models import Job
from pagoda.jobs.operations import register_job_task
from pagoda.jobs.plugin_host import active_plugin_ids
from pagoda.jobs.sayings import CANARY
from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.operations import JobOperation
from pagoda_plugin_sdk.tasks import JobContext, TaskOptions

NEEDS_OWNER = (
    "The account of the core worker does not own the tables: `pagoda entries index` with the owner's "
    "DATABASE_URL makes these indexes, as does the next `pagoda migrate`."
)

log = structlog.get_logger(__name__)


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
    JobOperation.INDEX_VALUES,
    is_hidden=True,
    options=TaskOptions(schedule="*/5 * * * *", singleton=True, max_attempts=1),  # the next run tries again
)
def index_values(_job: JobContext) -> dict[str, Any]:
    """Make and drop the indexes of single attributes as they are marked `is_indexed`.

    What the account of this worker may not do is told in the result, and logged when it is new.

    Raises:
        RuntimeError: some failed; it says which, and what the database said.
    """
    done = make_indexes()
    if done.failed:
        told = "; ".join(f"{name}: {error}" for name, error in done.failed.items())
        raise RuntimeError(
            f"{told}. `pagoda entries index` with the account that owns the tables tries again."
        )
    result = {"made": done.made, "dropped": done.dropped}
    if not done.left:
        return result
    result["left"] = done.left
    ended = Job.objects.filter(operation=JobOperation.INDEX_VALUES, finished_at__isnull=False)
    before = ended.order_by("-pk").values_list("result", flat=True).first()
    if (before or {}).get("left") != done.left:
        log.warning("value_indexes_left", indexes=done.left, remedy=NEEDS_OWNER)
    return {**result, "remedy": NEEDS_OWNER}


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


def submit_canary(queue: str, user: Any) -> Job:
    """Return a new job of the host's on `queue` that does nothing.

    Raises:
        UnknownQueue: no such queue; the closest names are given.
    """
    known = queue_names(active_plugin_ids())
    if queue not in known:
        raise UnknownQueue(
            f"There is no queue {queue!r}.{near_misses(queue, known)} There are: {', '.join(known)}."
        )
    request = store.JobRequest(
        operation=operations.resolve(JobOperation.CANARY),
        plugin="" if queue == operations.CORE_QUEUE else queue.removeprefix("plugin."),
        user=user,
        text=CANARY.format(queue=queue),
    )
    return store.submit(request)

"""Canaries: jobs that do nothing, one per queue, to see whether its worker runs jobs."""

from __future__ import annotations

from typing import Any

from pagoda.jobs import operations, store
from pagoda.jobs.celery import queue_names
from pagoda.jobs.errors import UnknownQueue
from pagoda.jobs.models import Job
from pagoda.jobs.plugin_host import active_plugin_ids
from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.operations import JobOperation


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
        text=f"canary of {queue}",
    )
    return store.submit(request)

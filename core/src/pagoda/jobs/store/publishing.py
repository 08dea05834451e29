"""From rows to messages, once the rows are committed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from django.db import transaction

from pagoda.jobs import runtime
from pagoda.jobs.clock import sql_after
from pagoda.jobs.models import Job
from pagoda.jobs.operations import task_name
from pagoda.jobs.publisher import Message
from pagoda.jobs.store.attempt import UNCLAIMED, changed

BATCH = 500


def publish_on_commit(jobs: Sequence[Job]) -> None:
    """Publish the messages of these jobs once the current transaction is committed; nothing on a rollback.

    A broker that is away delays the jobs, never the caller: the dispatcher publishes them later.
    """
    if jobs:
        transaction.on_commit(partial(publish, [message_of(job) for job in jobs]), robust=True)


def publish(messages: Sequence[Message]) -> int:
    """Publish messages, unmark the jobs of those that are left, and return how many went out."""
    sent = len(runtime.publisher().publish(messages))
    give_back([message.job_id for message in messages[sent:]])
    return sent


def give_back(job_ids: Sequence[int], *, delay_seconds: float = 1.0) -> None:
    """Note that the messages of these jobs did not go out: the dispatcher is to send them after the delay."""
    for start in range(0, len(job_ids), BATCH):
        batch = job_ids[start : start + BATCH]
        sql = f"""UPDATE job_job SET published_at = NULL, publish_at = {sql_after()}
            WHERE id IN ({", ".join(["%s"] * len(batch))}) AND {UNCLAIMED} AND publish_at IS NOT NULL"""
        changed(sql, (delay_seconds, *batch))


def message_of(job: Job) -> Message:
    """Return the message that brings a worker to `job`."""
    return Message(
        job_id=job.pk,
        task_name=task_name(job.operation, job.plugin, job.operation_name),
        task_id=job.task_id,
        queue=job.queue,
        plugin=job.plugin,
        user_id=job.user_id,
    )

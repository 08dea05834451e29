"""Making jobs: a row first, its message once the row is committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from pagoda.audit.actions import Action
from pagoda.jobs.clock import after
from pagoda.jobs.errors import JobError
from pagoda.jobs.foreign import params_text
from pagoda.jobs.models import Job
from pagoda.jobs.store.auditing import one_transaction, record_jobs
from pagoda.jobs.store.drafts import JobRequest, draft
from pagoda.jobs.store.insertion import insert, insert_many
from pagoda.jobs.store.publishing import publish_on_commit
from pagoda.jobs.transitions import Event, sources
from pagoda_plugin_sdk.operations import JobStatus

GRACE_SECONDS = 2.0
"""What is committed is published at once; the dispatcher looks after what still is not after this time."""

KEY_TRIES = 3
"""The job that has a key may end between looking for it and making ours."""


def create(request: JobRequest) -> Job:
    """Return a new job that waits for `run`, or the one that has the request's keys already.

    Raises:
        InvalidParams: params or target can't be stored.
    """
    return _save(draft(request, JobStatus.PREPARING))[0]


def submit(request: JobRequest) -> Job:
    """Return a new job that is queued on commit, or the one that has the request's keys already.

    Raises:
        InvalidParams: params or target can't be stored.
    """
    job, is_new = _save(draft(request, JobStatus.PROCESSING))
    if is_new and job.published_at is not None:
        publish_on_commit([job])
    return job


def submit_many(request: JobRequest, params: Iterable[Mapping[str, Any] | str]) -> list[Job]:
    """Submit `request` once for each item of `params`: one insert, and one round trip for their messages.

    Jobs with keys or a dependency, and those that run one at a time, are submitted one by one.

    Raises:
        InvalidParams: some params can't be stored; no job is made then.
    """
    texts = [params_text(item) for item in params]
    template = draft(request, JobStatus.PROCESSING)
    keys = (template.idempotency_key, template.singleton_key, template.serial_key)
    if any(keys) or template.depend_on_id is not None or not _is_due(template):
        with transaction.atomic():
            return [submit(replace(request, params=text)) for text in texts]
    with one_transaction():
        jobs = insert_many(template, texts)
        record_jobs(Action.JOB_SUBMITTED, jobs)
    publish_on_commit(jobs)
    return jobs


def run(job: Job) -> bool:
    """Queue a job made by `create`, on commit; False when it was asked to run before."""
    is_waiting = _is_unfinished(job.depend_on_id)
    goes_out = not is_waiting and _is_due(job)
    unless_waiting = F("run_at") if job.run_at is not None else after(GRACE_SECONDS)
    publish_at = None if is_waiting else unless_waiting
    updated = Job.objects.filter(pk=job.pk, status__in=sources(Event.RUN, JobStatus.PROCESSING)).update(
        status=JobStatus.PROCESSING,
        is_waiting=is_waiting,
        publish_at=publish_at,
        published_at=Now() if goes_out else None,
        updated_at=Now(),
    )
    if not updated:
        return False
    job.status, job.is_waiting = JobStatus.PROCESSING, is_waiting
    if goes_out:
        publish_on_commit([job])
    return True


def run_here(job: Job) -> bool:
    """Make a job that was not asked to run claimable by the calling process, without a message."""
    updated = Job.objects.filter(pk=job.pk, status__in=sources(Event.RUN, JobStatus.PROCESSING)).update(
        status=JobStatus.PROCESSING, publish_at=after(GRACE_SECONDS), updated_at=Now()
    )
    return bool(updated)


def _save(job: Job) -> tuple[Job, bool]:
    """Insert the row and return it with True, or the job that has its keys with False."""
    _order_after_others(job)
    goes_out = job.status == JobStatus.PROCESSING and not job.is_waiting and _is_due(job)
    if not job.idempotency_key and not job.singleton_key:
        insert(job, goes_out=goes_out)
        return job, True
    for _ in range(KEY_TRIES):
        if (held := _holder_of_keys(job)) is not None:
            return held, False
        try:
            with transaction.atomic():
                insert(job, goes_out=goes_out)
        except IntegrityError:  # somebody else was faster
            continue
        return job, True
    raise JobError(
        f"Job {job.operation_name!r} with the keys {job.idempotency_key!r}, {job.singleton_key!r} was made "
        f"and ended by others {KEY_TRIES} times while this request tried. Try again."
    )


def _order_after_others(job: Job) -> None:
    """Have jobs that run one at a time wait for the newest one before them."""
    if job.serial_key and job.depend_on_id is None:
        others = Job.objects.filter(serial_key=job.serial_key, finished_at=None)
        job.depend_on_id = others.order_by("-id").values_list("id", flat=True).first()
    is_queued = job.status == JobStatus.PROCESSING
    job.is_waiting = is_queued and _is_unfinished(job.depend_on_id)
    job.publish_at = job.run_at if is_queued and not job.is_waiting else None


def _holder_of_keys(job: Job) -> Job | None:
    if job.idempotency_key:
        same = {"plugin": job.plugin, "operation": job.operation, "idempotency_key": job.idempotency_key}
        if (held := Job.objects.filter(**same).first()) is not None:
            return held
    if job.singleton_key:
        return Job.objects.filter(singleton_key=job.singleton_key, finished_at=None).first()
    return None


def _is_unfinished(job_id: int | None) -> bool:
    return job_id is not None and Job.objects.filter(pk=job_id, finished_at=None).exists()


def _is_due(job: Job) -> bool:
    """Return whether its message should go out now. This machine's clock will do: the claim checks again."""
    return job.run_at is None or job.run_at <= timezone.now()

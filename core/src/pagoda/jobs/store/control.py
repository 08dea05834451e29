"""What people ask of jobs: cancel, retry, queue anew."""

from __future__ import annotations

from uuid import uuid4

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now

from pagoda.audit.actions import Action
from pagoda.jobs import operations
from pagoda.jobs.clock import after
from pagoda.jobs.foreign import job_text
from pagoda.jobs.job_errors import JobAlreadyFinished, JobNotCancelable, JobNotQueued, JobNotRetryable
from pagoda.jobs.models import Job
from pagoda.jobs.sayings import CANCELED
from pagoda.jobs.store.drafts import require_room
from pagoda.jobs.store.endings import tell_ended
from pagoda.jobs.store.submission import GRACE_SECONDS, one_transaction, publish_on_commit, record_jobs, run
from pagoda.jobs.transitions import UNFINISHED, Event, Phase, sources
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.rules.saying import say


def cancel(job: Job, *, text: str = CANCELED) -> Phase:
    """Cancel a job: one that no worker has ends at once, a running one is asked to stop. Idempotent.

    Returns its phase, FINISHED or CANCELING; `job` is refreshed.

    Raises:
        JobAlreadyFinished: it ended otherwise.
        JobNotCancelable: its operation does not allow it.
    """
    spec = operations.of_job(job.plugin, job.operation, job.operation_name)
    if spec is not None and not spec.is_cancelable and job.finished_at is None:
        raise JobNotCancelable(
            say(
                "Job {job} can't be cancelled: operation {operation_name!r} is not among the "
                "cancelable operations of {what!r}.",
                job=job.pk,
                operation_name=job.operation_name,
                what=job.plugin or "the host",
            )
        )
    while True:
        with one_transaction():
            if is_canceled := _cancel_unclaimed(job, text) or _ask_to_stop(job):
                record_jobs(Action.JOB_CANCELED, [job])
        if is_canceled:
            job.refresh_from_db()
            return job.phase
        job.refresh_from_db()
        if job.status == JobStatus.CANCELED:
            return Phase.FINISHED
        if JobStatus(job.status).is_finished:
            raise JobAlreadyFinished(
                say(
                    "Job {job} can't be cancelled: it finished as {status}.",
                    job=job.pk,
                    status=JobStatus(job.status).name,
                )
            )


def retry(job: Job) -> None:
    """Run a job that ended in ERROR, TIMEOUT, CANCELED or WARNING once more, with all its tries.

    Raises:
        JobNotRetryable: it ended otherwise, or has not ended, or another one has its singleton key.
        TooManyJobs: its user has as many unfinished ones as one may have.
    """
    if job.finished_at is not None:
        require_room(job)
    try:
        with transaction.atomic():
            updated = Job.objects.filter(
                pk=job.pk, status__in=sources(Event.RETRY, JobStatus.PROCESSING)
            ).update(
                status=JobStatus.PROCESSING,
                attempt_base=F("attempt"),
                lost_count=0,
                error="",
                text="",
                result=None,
                hold_reason="",
                progress_percent=0,
                progress_text="",
                finished_at=None,
                cancel_requested_at=None,
                run_at=None,
                is_waiting=False,
                published_at=Now(),
                publish_at=after(GRACE_SECONDS),
                task_id=str(uuid4()),
                updated_at=Now(),
            )
            record_jobs(Action.JOB_RETRIED, [job] * updated)
    except IntegrityError as error:
        raise JobNotRetryable(
            say(
                "Job {job} can't run again now: another unfinished job of {operation_name!r} exists, "
                "and there may be one at a time. Wait for that one.",
                job=job.pk,
                operation_name=job.operation_name,
            )
        ) from error
    job.refresh_from_db()
    if not updated:
        raise JobNotRetryable(
            say(
                "Job {job} can't run again: it is {status}, expected ERROR, TIMEOUT, CANCELED or WARNING.",
                job=job.pk,
                status=JobStatus(job.status).name,
            )
        )
    publish_on_commit([job])


def requeue(job: Job) -> None:
    """Publish an unfinished job anew; one that a worker has is taken from it, its writes are refused.

    It runs again even if it was asked to stop; one that waits for another job goes on waiting. For operators,
    when a worker is known to be gone and its lease too long to wait for.

    Raises:
        JobNotQueued: it has finished.
    """
    with one_transaction():
        is_queued = run(job) or _queue_anew(job)
        if is_queued:
            record_jobs(Action.JOB_REQUEUED, [job])
    job.refresh_from_db()
    if job.finished_at is not None and not is_queued:
        raise JobNotQueued(
            say(
                "Job {job} can't be queued: it finished as {status}. Use retry.",
                job=job.pk,
                status=JobStatus(job.status).name,
            )
        )


def _queue_anew(job: Job) -> bool:
    jobs = Job.objects.filter(pk=job.pk, status__in=sources(Event.RELEASE, JobStatus.PROCESSING))
    updated = jobs.filter(is_waiting=False).update(
        lease_owner="",
        lease_expires_at=None,
        cancel_requested_at=None,
        attempt_base=F("attempt"),
        run_at=None,
        hold_reason="",
        published_at=Now(),
        publish_at=after(GRACE_SECONDS),
        task_id=str(uuid4()),
        updated_at=Now(),
    )
    if updated:
        job.refresh_from_db()  # the message needs its new task id
        publish_on_commit([job])
    return bool(updated)


def settle(job: Job, status: JobStatus, *, text: str | None = None) -> bool:
    """End a job that no worker has, from outside of a task; False when a worker has it or it ended."""
    updated = Job.objects.filter(
        pk=job.pk, status__in=sources(Event.SETTLE, status), lease_expires_at=None
    ).update(
        status=status,
        text=F("text") if text is None else job_text(text),
        finished_at=Now(),
        publish_at=None,
        is_waiting=False,
        updated_at=Now(),
    )
    if updated:
        tell_ended(job.plugin, job.operation, status)
    return bool(updated)


def _cancel_unclaimed(job: Job, text: str) -> bool:
    return settle(job, JobStatus.CANCELED, text=text)


def _ask_to_stop(job: Job) -> bool:
    running = Job.objects.filter(pk=job.pk, status__in=UNFINISHED, lease_expires_at__isnull=False)
    return bool(
        running.update(cancel_requested_at=Coalesce(F("cancel_requested_at"), Now()), updated_at=Now())
    )

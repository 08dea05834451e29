"""What the dispatcher does for all jobs, and by schedule. Any number of processes may do it at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce, Now

from pagoda.domain.hard_deletes import removable
from pagoda.jobs.clock import after, sql_after, sql_now
from pagoda.jobs.models import Job, ScheduleTick
from pagoda.jobs.publisher import Message
from pagoda.jobs.sayings import NO_HEARTBEAT
from pagoda.jobs.store.claims import COLUMNS, Attempt, execute
from pagoda.jobs.store.drafts import JobRequest
from pagoda.jobs.store.endings import Failure, lose, time_out
from pagoda.jobs.store.submission import GRACE_SECONDS, message_of, submit
from pagoda_plugin_sdk.operations import JobStatus

KILL_GRACE_SECONDS = 10.0
"""A job past its hard limit is its worker's to end for this long, then the dispatcher's."""

REPUBLISH_SECONDS = 10.0
"""A message that has brought no worker to its job within this time may be lost."""

LONGEST_REPUBLISH_SECONDS = 30.0
"""Between two looks at a job that nobody claims; short, as a job of a lost message waits for the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueJob:
    """A job that waits for a worker and whose message should go out."""

    message: Message
    is_suspect: bool  # its message went out before and brought no worker
    looks: int  # how often it was due before


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """A job whose worker was silent for too long, and what became of it."""

    attempt: Attempt
    failure: Failure


def expire_leases(limit: int = 100) -> list[Expired]:
    """Take jobs from workers whose lease ran out: queue them anew, or end them when no try is left."""
    return _for_locked(
        f"lease_expires_at <= {sql_now()}",
        (),
        limit,
        lambda attempt: Expired(
            attempt=attempt, failure=lose(attempt, cause=NO_HEARTBEAT.format(owner=attempt.owner))
        ),
    )


def end_overdue(limit: int = 100) -> list[Attempt]:
    """End jobs in TIMEOUT whose worker has not done so `KILL_GRACE_SECONDS` after their hard limit."""
    past = f"{sql_after('hard_limit_seconds', base='started_at')} <= {sql_after()}"

    def end(attempt: Attempt) -> Attempt:
        time_out(attempt)
        return attempt

    return _for_locked(f"lease_expires_at IS NOT NULL AND {past}", (-KILL_GRACE_SECONDS,), limit, end)


def release_dependents() -> int:
    """Queue the jobs whose dependency has finished, however it did; return how many."""
    unfinished = Job.objects.filter(pk=OuterRef("depend_on_id"), finished_at=None)
    waiting = Job.objects.filter(is_waiting=True, status=JobStatus.PROCESSING).exclude(Exists(unfinished))
    if not waiting.exists():  # most of the time; an update would take the only writer's place on SQLite
        return 0
    return waiting.update(is_waiting=False, publish_at=Coalesce(F("run_at"), Now()), updated_at=Now())


def due_jobs(limit: int = 500) -> list[DueJob]:
    """Take the jobs whose message should go out now, the longest due first.

    Nobody else gets them for a while. Call `give_back` for those that could not be published.
    """
    due = Job.objects.filter(
        # A fresh job's message is on its way
        Q(published_at=None) | Q(publish_count__gt=0) | Q(created_at__lte=after(-GRACE_SECONDS)),
        publish_at__lte=Now(),
        status=JobStatus.PROCESSING,
        lease_expires_at=None,
        is_waiting=False,
    )
    if not due.exists():
        return []
    with transaction.atomic():
        locked = due.select_for_update(skip_locked=True).order_by("publish_at", "id")[:limit]
        jobs = list(locked)
        for seconds, group in _by_next_look(jobs).items():
            Job.objects.filter(pk__in=group).update(
                publish_at=after(seconds), published_at=Now(), publish_count=F("publish_count") + 1
            )
    return [_due_job(job) for job in jobs]


def look_again(queue: str) -> int:
    """Have the jobs that wait in `queue` be due, as the broker has lost messages of it; return how many.

    Those whose message went out less than `REPUBLISH_SECONDS` ago are left alone.
    """
    waiting = Job.objects.filter(
        queue=queue, publish_at__gt=Now(), published_at__lt=after(-REPUBLISH_SECONDS)
    )
    return waiting.filter(status=JobStatus.PROCESSING, lease_expires_at=None).update(publish_at=Now())


def queued_count(queue: str) -> int:
    """Return how many jobs are published to `queue` and not claimed yet."""
    published = Job.objects.filter(queue=queue, publish_at__isnull=False, published_at__isnull=False)
    return published.filter(status=JobStatus.PROCESSING, lease_expires_at=None).count()


def purge(retention: timedelta, *, batch: int = 500) -> int:
    """Remove jobs that finished, or were never asked to run, longer ago than `retention`; return how many.

    Their log lines and files go with them. It works in transactions of `batch` jobs. What a plugin's
    row refers to and keeps stays.
    """
    cutoff = after(-retention.total_seconds())
    old = Job.objects.filter(Q(finished_at__lt=cutoff) | Q(status=JobStatus.PREPARING, created_at__lt=cutoff))
    old = removable(old)
    removed = 0
    while ids := list(old.order_by("id").values_list("id", flat=True)[:batch]):
        with transaction.atomic():
            removed += old.filter(pk__in=ids).delete()[1].get("job.Job", 0)
    ScheduleTick.objects.filter(tick__lt=cutoff).delete()
    return removed


def _for_locked[T](
    condition: str, parameters: Sequence[object], limit: int, act: Callable[[Attempt], T]
) -> list[T]:
    """Call `act` with each claimed job that meets `condition`, while nobody else can change it."""
    found = f"FROM job_job WHERE {condition} AND status = {int(JobStatus.PROCESSING)}"
    if not execute(f"SELECT 1 {found} LIMIT 1", parameters):
        return []
    suffix = " FOR UPDATE SKIP LOCKED" if connection.vendor == "postgresql" else ""
    with transaction.atomic():
        rows = execute(f"SELECT {COLUMNS} {found} ORDER BY id LIMIT %s{suffix}", (*parameters, limit))
        return [act(Attempt.of_row(row)) for row in rows]


def _by_next_look(jobs: Sequence[Job]) -> dict[float, list[int]]:
    """Return job ids by the time after which to look again: longer for each message that went out before."""
    groups: dict[float, list[int]] = {}
    for job in jobs:
        seconds = min(REPUBLISH_SECONDS * 2 ** min(job.publish_count, 10), LONGEST_REPUBLISH_SECONDS)
        groups.setdefault(seconds, []).append(job.pk)
    return groups


def _due_job(job: Job) -> DueJob:
    return DueJob(message=message_of(job), is_suspect=job.published_at is not None, looks=job.publish_count)


def take_tick(schedule: str, tick: datetime, request: JobRequest) -> Job | None:
    """Submit the job of a tick; None when another dispatcher has done so."""
    try:
        with transaction.atomic():
            taken = ScheduleTick.objects.create(schedule=schedule, tick=tick)
            taken.job = submit(request)
            taken.save(update_fields=["job"])
            return taken.job
    except IntegrityError:  # of job_one_run_per_tick
        return None


def latest_tick(schedule: str) -> datetime | None:
    """Return the latest tick of a schedule that was started, None before the first."""
    ticks = ScheduleTick.objects.filter(schedule=schedule).order_by("-tick")
    return ticks.values_list("tick", flat=True).first()

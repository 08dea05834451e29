"""Ticks of schedules: whoever inserts the row of a tick starts its job, so that each has one."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from pagoda.jobs.models import Job, ScheduleTick
from pagoda.jobs.store.drafts import JobRequest
from pagoda.jobs.store.submission import submit


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

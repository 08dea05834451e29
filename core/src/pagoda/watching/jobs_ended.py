"""How the jobs of each plugin ended lately, from their rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from pagoda.jobs.clock import after, parse_moment
from pagoda.jobs.models import Job
from pagoda.watching.histogram import BOUNDS, bucket_of, percentile
from pagoda_plugin_sdk.operations import JobStatus

ERRORS = (JobStatus.ERROR, JobStatus.TIMEOUT)
LOOKED_AT = 5000
"""Jobs at most: the latest ones tell enough."""


@dataclass(slots=True)
class JobsEnded:
    """The jobs of one plugin that ended in a stretch of time."""

    count: int = 0  # cancelled ones left out: that is nobody's fault
    errors: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * len(BOUNDS))
    last_error: str = ""

    @property
    def p95_seconds(self) -> float | None:
        """Return the duration that 95 % stay within, None without jobs."""
        return percentile(self.buckets, 0.95)


def jobs_ended(minutes: int) -> dict[str, JobsEnded]:
    """Return ``{plugin id, "" for the host: its jobs that ended}`` within the last `minutes`."""
    ended = Job.objects.filter(finished_at__gt=after(-60.0 * minutes)).exclude(status=JobStatus.CANCELED)
    rows = ended.order_by("-finished_at").values_list(
        "plugin", "status", "started_at", "finished_at", "error"
    )
    found: dict[str, JobsEnded] = {}
    for plugin, status, started_at, finished_at, error in rows[:LOOKED_AT]:
        jobs = found.setdefault(plugin, JobsEnded())
        jobs.count += 1
        if status in ERRORS:
            jobs.errors += 1
            jobs.last_error = jobs.last_error or error
        if started_at is not None and finished_at is not None:
            jobs.buckets[bucket_of((finished_at - started_at).total_seconds())] += 1
    return found


def last_successes(plugins: Iterable[str]) -> dict[str, datetime]:
    """Return ``{plugin: when its latest job that ended well did so}``, of those that have one; one query.

    Each is the newest of its plugin by an index, however many jobs there are.
    """
    names = sorted(set(plugins))
    if not names:
        return {}
    sql = f"""WITH asked (plugin) AS (VALUES {", ".join(["(%s)"] * len(names))})
        SELECT plugin, (SELECT finished_at FROM job_job WHERE job_job.plugin = asked.plugin AND status = %s
            ORDER BY id DESC LIMIT 1) FROM asked"""  # noqa: S608 - places alone
    with connection.cursor() as cursor:
        cursor.execute(sql, [*names, int(JobStatus.DONE)])
        return {plugin: parse_moment(moment) for plugin, moment in cursor.fetchall() if moment is not None}

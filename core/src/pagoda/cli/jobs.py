"""`pagoda jobs`: look at jobs, stop them, run them again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from pagoda.cli.startup import QUIET, HostGroup, faults_reported, set_up
from pagoda.cli.tables import show_table
from pagoda.jobs.sayings import CANCELED_BY_OPERATOR
from pagoda_plugin_sdk.operations import JobStatus

if TYPE_CHECKING:
    from pagoda.jobs.models import Job, JobQuerySet

COLUMNS = ("ID", "OPERATION", "USER", "STATUS", "PHASE", "PROGRESS", "ATTEMPT", "CREATED", "TEXT")
TEXT_WIDTH = 60
STATUSES = ("preparing", "done", "error", "timeout", "processing", "canceled", "warning")


@click.group(cls=HostGroup)
def jobs() -> None:
    """Look at jobs, stop them, run them again."""
    with faults_reported():
        set_up(log_level=QUIET)


@jobs.command(name="list")
@click.option("--plugin", help="Only this plugin's, by id; `core` for the host's own.")
@click.option("--status", type=click.Choice(STATUSES), help="Only those in this status.")
@click.option("--before", type=int, metavar="ID", help="Only those older than this job: the next page.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--all", "with_hidden", is_flag=True, help="Hidden operations, too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def list_jobs(
    *,
    plugin: str | None,
    status: str | None,
    before: int | None,
    limit: int,
    with_hidden: bool,
    as_json: bool,
) -> None:
    """List jobs, the newest first."""
    found = all_jobs() if with_hidden else all_jobs().listed()
    if plugin is not None:
        found = found.filter(plugin="" if plugin == "core" else plugin)
    if status is not None:
        found = found.filter(status=JobStatus[status.upper()])
    if before is not None:
        found = found.filter(pk__lt=before)
    page = list(found.order_by("-id")[:limit])
    if as_json:
        for job in page:
            click.echo(json.dumps(job.to_json()))
    elif page:
        show_table(COLUMNS, map(_row, page))
    else:
        click.echo("No jobs.")


@jobs.command()
@click.argument("job_id", type=int)
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def show(job_id: int, *, as_json: bool) -> None:
    """Show one job, with its log."""
    job = _job(job_id)
    facts = job.to_json() | _details(job)
    lines = list(job.logs.values("created_at", "attempt", "level", "message", "extra"))
    if as_json:
        click.echo(json.dumps(facts | {"log": lines}, default=str))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        click.echo(f"{name.ljust(width)}  {value if isinstance(value, str) else json.dumps(value)}")
    for line in lines:
        click.echo(f"{line['created_at']:%Y-%m-%d %H:%M:%S}  {line['level']:<7}  {line['message']}")
        if traceback := line["extra"].get("traceback"):
            click.echo(traceback)


@jobs.command()
@click.argument("job_ids", type=int, nargs=-1, required=True)
def cancel(job_ids: tuple[int, ...]) -> None:
    """Cancel jobs: those that wait end at once, running ones are asked to stop."""
    _each(job_ids, lambda store, job: str(store.cancel(job, text=CANCELED_BY_OPERATOR)))


@jobs.command()
@click.argument("job_ids", type=int, nargs=-1, required=True)
def retry(job_ids: tuple[int, ...]) -> None:
    """Run jobs again that ended in error, timeout, warning or cancelled."""
    _each(job_ids, lambda store, job: store.retry(job) or "queued")


@jobs.command()
@click.argument("job_ids", type=int, nargs=-1, required=True)
def requeue(job_ids: tuple[int, ...]) -> None:
    """Queue unfinished jobs anew, taking them from workers that have them; for workers known to be gone."""
    _each(job_ids, lambda store, job: store.requeue(job) or "queued")


def _each(job_ids: Sequence[int], act: Callable[[Any, Job], str]) -> None:
    """Call `act` with the store and each job, and say what it returns. Any: the store is a module."""
    from pagoda.jobs import store  # late, as below

    with faults_reported():
        for job_id in job_ids:
            click.echo(f"job {job_id}: {act(store, _job(job_id))}")


def all_jobs() -> JobQuerySet:
    """Return the jobs of the host, which is set up."""
    from pagoda.jobs.models import Job  # late: models exist only once the host is set up

    return Job.objects.get_queryset().select_related("user", "target_entry", "target_entity")


def _job(job_id: int) -> Job:
    job = all_jobs().filter(pk=job_id).first()
    if job is None:
        raise click.ClickException(f"There is no job {job_id}. `pagoda jobs list` shows those there are.")
    return job


def _details(job: Job) -> dict[str, Any]:
    """Return what operators want to know beside what everybody sees."""
    times = ("run_at", "published_at", "started_at", "finished_at", "cancel_requested_at", "lease_expires_at")
    moments = {name: value.isoformat() for name in times if (value := getattr(job, name)) is not None}
    return {
        "queue": job.queue,
        "attempt": f"{job.tries} of {job.max_attempts}, run {job.attempt}",
        "worker": job.lease_owner,
        "hold_reason": job.why_it_waits,
        "task_id": job.task_id,
        "request_id": job.request_id,
        "params": job.params,
        "result": job.result,
        **moments,
    }


def _row(job: Job) -> Sequence[str]:

    text = job.error or job.text or job.why_it_waits
    return (
        str(job.pk),
        f"{job.plugin or 'core'}.{job.operation_name}",
        job.user.username if job.user is not None else "-",
        JobStatus(job.status).name.lower(),
        str(job.phase),
        f"{job.progress_percent:.0f}%",
        f"{job.tries}/{job.max_attempts}",
        f"{job.created_at:%Y-%m-%d %H:%M:%S}",
        text if len(text) <= TEXT_WIDTH else f"{text[:TEXT_WIDTH]}...",
    )

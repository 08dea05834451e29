"""A task for each way in which a job may go."""

import json
import os
import socket
import time
from typing import Any

from pagoda_plugin_sdk import Job, JobStatus, celery_app, register_plugin_job_task
from pagoda_plugin_sdk.models import Entity, Entry
from pagoda_plugin_sdk.tasks import JobContext, plugin_task
from pagoda_trial.traces import leave

STEP_SECONDS = 0.05
MEGABYTE = 1024 * 1024


@plugin_task(0)
def succeed(job: JobContext) -> dict[str, Any]:
    """Tell where it ran, and with what."""
    leave("succeed", job.id, job.attempt)
    job.log.info("succeeding", host=socket.gethostname())
    return {"host": socket.gethostname(), "params": job.params}


@plugin_task(1, max_attempts=1)
def fail(job: JobContext) -> None:
    """Raise."""
    leave("fail", job.id, job.attempt)
    raise ValueError(f"the trial's task failed: {job.params.get('why', 'as it should')}")


@plugin_task(2, max_attempts=10)
def nap(job: JobContext) -> str:
    """Wait in small steps, ready to be cancelled."""
    leave("nap", job.id, job.attempt)
    until = time.monotonic() + float(job.params.get("seconds", 0))
    while (left := until - time.monotonic()) > 0:
        job.checkpoint()
        time.sleep(min(left, STEP_SECONDS))
    return "rested"


@plugin_task(3)
def hang(job: JobContext) -> None:
    """Never look whether somebody cancelled the job."""
    leave("hang", job.id, job.attempt)
    while True:
        try:
            time.sleep(600)
        except Exception:  # noqa: BLE001 - as bad tasks do
            continue


@plugin_task(4, soft_time_limit_seconds=1, hard_time_limit_seconds=30)
def overrun(job: JobContext) -> None:
    """Run past the soft limit, and let that end it."""
    leave("overrun", job.id, job.attempt)
    while True:
        time.sleep(STEP_SECONDS)


@plugin_task(5, soft_time_limit_seconds=1, hard_time_limit_seconds=3)
def overstay(job: JobContext) -> None:
    """Run past the hard limit, deaf to the soft one."""
    hang(job)


@plugin_task(6)
def progress(job: JobContext) -> str:
    """Tell how far it is, and stay there for a while."""
    job.progress(40, "two of five")
    time.sleep(float(job.params.get("seconds", 0)))
    job.progress(80, "four of five")
    return "five of five"


@plugin_task(7)
def write_file(job: JobContext) -> None:
    """Leave a file with the job."""
    job.attach_file("trial.csv", str(job.params["text"]).encode(), "text/csv")


@plugin_task(8, max_attempts=3, retry_backoff_seconds=0.5)
def flaky(job: JobContext) -> int:
    """Fail until the try whose number it is given."""
    leave("flaky", job.id, job.attempt)
    if job.attempt < int(job.params["succeeds_at"]):
        raise ConnectionError(f"try {job.attempt} is not the one")
    return job.attempt


@plugin_task(
    9, max_attempts=100, retry_backoff_seconds=0.5, hard_time_limit_seconds=3000, soft_time_limit_seconds=2900
)
def effect(job: JobContext) -> None:
    """Work for a while, then leave a trace and end the job together."""
    time.sleep(float(job.params.get("seconds", STEP_SECONDS)))
    with job.fence():
        leave("effect", job.id, job.attempt)
        job.finish()


@plugin_task(10, schedule="* * * * *")
def tick(job: JobContext) -> None:
    """Leave a trace once a minute."""
    leave("tick", job.id, job.attempt)


@plugin_task(11)
def write_entry(job: JobContext) -> int:
    """Create an entry: its hooks run here."""
    schema = Entity.objects.get(name=job.params["entity"])
    entry: Any = Entry.objects.create_entry(user=job.user, schema=schema, name=job.params["name"], attrs={})
    return int(entry.pk)


@plugin_task(12)
def break_off(job: JobContext) -> None:
    """End the process under the worker's feet."""
    leave("break_off", job.id, job.attempt)
    os._exit(3)


@plugin_task(13, max_attempts=2, retry_backoff_seconds=0.5)
def eat_memory(_job: JobContext) -> None:
    """Take memory until there is none left."""
    eaten = []
    while True:
        eaten.append(bytearray(16 * MEGABYTE))


@register_plugin_job_task(14)
@celery_app.task(bind=True)  # type: ignore[untyped-decorator]  # Celery has no types
def walk(self: Any, job_id: int) -> None:
    """Do what the diagram of the job flow says, in the raw form, and leave a trace of each step."""
    job = Job.objects.get(id=job_id)
    leave("walk: objects.get", job_id)
    leave(f"walk: is_canceled {job.is_canceled()}", job_id)
    leave(f"walk: proceed_if_ready {job.proceed_if_ready()}", job_id)
    job.update(JobStatus.PROCESSING)
    try:
        if json.loads(job.params).get("fails"):
            raise ValueError("the walk ends here")
        leave("walk: business logic", job_id)
    except ValueError as error:
        job.update(JobStatus.ERROR, text=str(error))
    else:
        job.update(JobStatus.DONE, text="walked")


@plugin_task(15)
def delete_entry(job: JobContext) -> None:
    """Delete an entry: the deferred hooks of other plugins become their jobs."""
    entry: Any = Entry.objects.get(name=job.params["name"], schema__name=job.params["entity"])
    entry.delete()

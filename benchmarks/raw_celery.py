"""The peer of `bench_jobs.py`: a Celery app with one task that does nothing, set up as Pagoda's is."""

import os

from celery import Celery
from kombu import Queue

app = Celery("raw", broker=os.environ["BROKER_URL"])
app.conf.update(
    accept_content=["json"],
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_queues=[Queue("raw")],
    task_default_queue="raw",
    task_send_sent_event=True,
    worker_send_task_events=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
)


@app.task(name="raw.noop")
def noop(job_id: int, plugin: str, user: int | None) -> None:
    """Do nothing."""

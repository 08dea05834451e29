"""The plugin's tasks: the simple form, and the raw one, a Celery task that drives its Job itself."""

from __future__ import annotations

import json
import logging
from typing import Any

from pydantic import BaseModel, Field

from pagoda_hello_world.operations import HelloWorldOperation
from pagoda_hello_world.plugin import greeting
from pagoda_plugin_sdk import Job, JobStatus, celery_app, plugin_task, register_plugin_job_task
from pagoda_plugin_sdk.tasks import JobContext

logger = logging.getLogger(__name__)


class GreetParams(BaseModel):
    """Whom to greet: the console's form and the API's check are made from it."""

    name: str = Field(min_length=1, max_length=100, description="Who is greeted")


@plugin_task(HelloWorldOperation.GREET, params_model=GreetParams)
def greet(job: JobContext) -> str:
    """Greet the name in the job's parameters, ``{"name": ...}``: what is returned is the job's result."""
    return greeting(job.params_as(GreetParams).name)


@register_plugin_job_task(HelloWorldOperation.HELLO_WORLD_TASK)
@celery_app.task(bind=True)  # type: ignore[untyped-decorator]  # Celery has no types
def hello_world_task(self: Any, job_id: int) -> None:  # noqa: ARG001  # Celery hands over the task itself
    """Greet the name in the job's parameters: ``{"name": ...}``."""
    job = Job.objects.get(id=job_id)
    if job.is_canceled() or not job.proceed_if_ready():
        return
    job.update(JobStatus.PROCESSING)
    try:
        text = greeting(json.loads(job.params)["name"])
    except Exception as error:  # the fence of a raw task: whatever went wrong, its job says so
        logger.exception("hello_world_task of job %s failed", job_id)
        job.update(JobStatus.ERROR, text=f"{type(error).__name__}: {error}")
    else:
        job.update(JobStatus.DONE, text=text)

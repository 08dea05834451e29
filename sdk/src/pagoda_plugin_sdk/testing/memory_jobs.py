"""Jobs in memory: made and updated as by the host, and run when the test runs their task."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pagoda_plugin_sdk.exceptions import JobCanceled, JobTimeLimitExceeded, ParamsRefused
from pagoda_plugin_sdk.job_arguments import named_job_arguments
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.params import checked_params
from pagoda_plugin_sdk.task_registry import PluginTaskRegistry
from pagoda_plugin_sdk.tasks import task_options
from pagoda_plugin_sdk.testing.jobs import FakeJob
from pagoda_plugin_sdk.testing.queries import MemoryQuerySet


class MemoryJob:
    """A job; ``run()`` queues it, which here is a note in its status."""

    objects: ClassVar[MemoryJobs]

    def __init__(
        self, user: Any, operation: int, params: Mapping[str, Any] | str | None, **fields: Any
    ) -> None:
        declared = PluginTaskRegistry.operation(operation)
        self.user = user
        self.operation = operation
        self.operation_name = declared.name
        self.plugin = declared.plugin_id
        self.params = params if isinstance(params, str) else json.dumps(params or {})
        _require_params(operation, self.params)
        self.text: str = fields.get("text", "")
        self.target = fields.get("target")
        self.status = JobStatus.PREPARING
        self.result: Any = None
        self.error = ""
        self.context: FakeJob | None = None  # what a task of the simple form was given, once it ran
        self.id = self.objects.add(self)

    @classmethod
    def _create_new_job(cls, user: Any, *args: Any, **kwargs: Any) -> MemoryJob:
        fields = named_job_arguments(args, kwargs)
        operation = fields.pop("operation", None) or fields.pop("operation_id", None)
        return cls(user, operation, fields.pop("params", None), **fields)

    def run(self, will_delay: bool = True) -> None:
        self.status = JobStatus.PROCESSING

    def is_canceled(self) -> bool:
        return self.status is JobStatus.CANCELED

    def is_finished(self, with_refresh: bool = True) -> bool:
        return self.status.is_finished

    def proceed_if_ready(self) -> bool:
        return self.status is JobStatus.PROCESSING

    def update(
        self,
        status: int | None = None,
        text: str | None = None,
        target: Any = None,
        operation: int | None = None,
    ) -> None:
        self.status = self.status if status is None else JobStatus(status)
        self.text = self.text if text is None else text
        self.target = self.target if target is None else target
        self.operation = self.operation if operation is None else operation


def _require_params(operation: int, params: str) -> None:
    """Refuse params that the task's model refuses, as the host does."""
    try:
        options = task_options(PluginTaskRegistry.get_task_handler(operation))
    except ModuleNotFoundError:  # a test may declare tasks that it does not run
        return
    if options is None or options.params_model is None:
        return
    declared = PluginTaskRegistry.operation(operation)
    try:
        checked_params(options.params_model, params)
    except ParamsRefused as error:
        raise ParamsRefused(error.faults, f"{declared.plugin_id}.{declared.name}") from None


class MemoryJobs(MemoryQuerySet):
    """``Job.objects``."""

    def __init__(self, jobs: list[MemoryJob], on_read: Callable[[], None]) -> None:
        super().__init__(lambda: jobs, on_read)
        self._jobs = jobs

    def add(self, job: MemoryJob) -> int:
        """Keep the job; return its id."""
        self._jobs.append(job)
        return len(self._jobs)

    def submit(
        self,
        *,
        plugin: str,
        operation_name: str,
        user: Any,
        params: Mapping[str, Any] | str | None = None,
        **fields: Any,
    ) -> MemoryJob:
        """Make a job and queue it.

        Raises:
            PluginValidationError: the plugin has no such operation.
        """
        number = PluginTaskRegistry.get_operation_id(plugin, operation_name)
        job: MemoryJob = self.model._create_new_job(user, number, params, **fields)
        job.run()
        return job


def run_job(job: MemoryJob, settings: Any = None) -> MemoryJob:
    """Run the job's task to its end, once, and keep with it how it ended, as the host does.

    `settings` are its plugin's; Any: an instance of the plugin's model.
    """
    task = PluginTaskRegistry.get_task_handler(job.operation)
    job.run()
    try:
        if task_options(task) is None:
            returned = task(job.id)
        else:
            job.context = FakeJob(
                id=job.id, user=job.user, target=job.target, params=json.loads(job.params), settings=settings
            )
            returned = task(job.context)
    except JobCanceled:
        job.status = JobStatus.CANCELED
    except JobTimeLimitExceeded as error:
        job.status, job.error = JobStatus.TIMEOUT, str(error)
    except Exception as error:  # noqa: BLE001 - the fence around a task: its failure is the job's
        job.status, job.error = JobStatus.ERROR, f"{type(error).__name__}: {error}"
    else:
        _end(job, returned)
    return job


def _end(job: MemoryJob, returned: Any) -> None:
    """End the job by what its task returned: a status, ``(status, text)``, with a target, or a result."""
    if job.status.is_finished:
        return
    end = None if job.context is None else job.context.end
    if end is not None:
        job.status, job.text, job.result = end.status, job.text if end.text is None else end.text, end.result
        return
    parts = returned if isinstance(returned, tuple) else (returned,)
    if parts and isinstance(parts[0], JobStatus):
        job.update(*parts)
        return
    try:
        job.result = None if job.context is None else json.loads(json.dumps(returned))
    except (TypeError, ValueError) as error:
        job.status, job.error = JobStatus.ERROR, f"The result is no JSON value: {error}"
    else:
        job.status = JobStatus.DONE

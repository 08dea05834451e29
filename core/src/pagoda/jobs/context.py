"""What a ``def f(job)`` task is called with."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import transaction
from pydantic import BaseModel

from pagoda import running
from pagoda.jobs import operations, plugin_host, store
from pagoda.jobs.execution import Execution, JobLogWriter, lost
from pagoda.jobs.foreign import FILE_MAX_BYTES, checked_result
from pagoda.jobs.job_errors import InvalidParams
from pagoda.jobs.models import Job
from pagoda.jobs.sayings import SOFT_LIMIT
from pagoda_plugin_sdk.authority import authority_of
from pagoda_plugin_sdk.exceptions import JobCanceled, JobTimeLimitExceeded
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.params import checked_params
from pagoda_plugin_sdk.washing import shown

REPORT_SECONDS = 0.5
"""Progress is stored, and the wish to cancel looked for, at most this often."""


@dataclass
class TaskContext:
    """The job as its task sees it; it satisfies `pagoda_plugin_sdk.tasks.JobContext`."""

    execution: Execution
    clock: Callable[[], float] = time.monotonic
    _started: float = field(init=False)
    _reported: float = field(default=float("-inf"), init=False)
    _looked: float = field(default=float("-inf"), init=False)
    _unreported: tuple[float, str] | None = field(default=None, init=False)
    _follow_ups: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._started = self.clock()

    @property
    def id(self) -> int:
        """Return the job's id."""
        return self.execution.attempt.job_id

    @property
    def attempt(self) -> int:
        """Return the number of this try, from 1."""
        return self.execution.attempt.number

    def authority(self) -> AbstractContextManager[None]:
        """Return a block in which the plugin acts for itself, as `Plugin.authority` does."""
        return authority_of(self.execution.attempt.plugin)

    @cached_property
    @running.as_host()
    def _job(self) -> Job:
        return Job.objects.select_related("user").get(pk=self.id)

    @property
    def user(self) -> Any:  # a User, or None; Django's stubs and the SDK's protocol do not meet
        """Return who asked for the job."""
        return self._job.user

    @property
    def target(self) -> Any:
        """Return the entry or entity it works on, or None."""
        return self._job.target

    @cached_property
    def params(self) -> dict[str, Any]:
        """Return what it was asked with."""
        loaded = json.loads(self._job.params or "{}")
        if not isinstance(loaded, dict):
            raise InvalidParams(f"Params of job {self.id} are {shown(loaded)}, expected a JSON object.")
        return loaded

    def params_as[M: BaseModel](self, model: type[M]) -> M:
        """Return the params as an instance of `model`.

        Raises:
            ParamsRefused: they do not fit.
        """
        return checked_params(model, self._job.params or "{}")

    @property
    def settings(self) -> Any:
        """Return the validated settings of the plugin whose task runs, None where it has none."""
        return plugin_host.settings_of(self.execution.attempt.plugin)

    @property
    def log(self) -> JobLogWriter:
        """Return the job's own log."""
        return self.execution.log

    def progress(self, percent: float, text: str = "") -> None:
        """Tell how far the work is, 0 to 100; stored at most twice a second, and never inside a transaction.

        Raises:
            JobLost: another worker has the job.
        """
        self._unreported = (percent, text)
        now = self.clock()
        if now - self._reported >= REPORT_SECONDS and not self.execution.is_in_transaction:
            self._reported = now
            self.report()

    @running.as_host()
    def report(self) -> None:
        """Store the progress that was told last.

        Raises:
            JobLost: another worker has the job.
        """
        if self._unreported is None:
            return
        (percent, text), self._unreported = self._unreported, None
        if not store.set_progress(self.execution.attempt, percent, text):
            raise lost(self.execution.attempt)

    def checkpoint(self) -> None:
        """Raise when the job should stop: call it between steps.

        Raises:
            JobCanceled: somebody cancelled it, or (JobLost) another worker has it.
            JobTimeLimitExceeded: it ran past its soft time limit.
        """
        now, limit = self.clock(), self.execution.attempt.soft_limit_seconds
        if now - self._started > limit:
            raise JobTimeLimitExceeded(SOFT_LIMIT.format(job=self.id, seconds=f"{limit:g}"))
        if now - self._looked < REPORT_SECONDS:
            return
        self._looked = now
        if self.execution.is_asked_to_stop():
            raise JobCanceled(f"Job {self.id} was cancelled.")

    def attach_file(self, name: str, content: bytes, content_type: str = "application/octet-stream") -> None:
        """Keep a file with the job, in place of an earlier one.

        Raises:
            InvalidParams: the operation is not declared downloadable, or the file is too large.
            JobLost: another worker has the job.
        """
        spec = operations.resolve(self.execution.attempt.operation)
        if not spec.is_downloadable:
            raise InvalidParams(
                f"Job {self.id} can't carry the file {shown(name)}: operation {spec.name!r} is not "
                "downloadable. Name it in downloadable_operations of its PluginTaskConfig."
            )
        if not isinstance(content, bytes):
            raise InvalidParams(
                f"Content of file {shown(name)} of job {self.id} is {shown(content)}, expected bytes."
            )
        if len(content) > FILE_MAX_BYTES:
            raise InvalidParams(
                f"File {shown(name)} of job {self.id} has {len(content)} bytes, "
                f"expected {FILE_MAX_BYTES} at most."
            )
        with running.as_host(), transaction.atomic():
            if not store.attach_file(
                self.execution.attempt, name=name, content=content, content_type=content_type
            ):
                raise lost(self.execution.attempt)

    def submit(
        self,
        operation_name: str,
        params: Mapping[str, Any] | None = None,
        *,
        plugin: str | None = None,
        **options: Any,
    ) -> Job:
        """Queue a follow-up job, of the same plugin unless told otherwise.

        `options` are those of `Job.objects.submit`. A second try of this job gets the follow-ups of the first
        back instead of making them again.
        """
        self._follow_ups += 1
        options.setdefault("idempotency_key", f"job {self.id} follow-up {self._follow_ups}")
        return Job.objects.submit(
            plugin=self.execution.attempt.plugin if plugin is None else plugin,
            operation_name=operation_name,
            user=self.user,
            params=params or {},
            **options,
        )

    @contextmanager
    def fence(self) -> Iterator[None]:
        """Run the block in a transaction that is stored only while this try has the job.

        Raises:
            JobLost: another worker has it; nothing of the block is stored.
        """
        with transaction.atomic():
            with running.as_host():
                has_it = store.lock(self.execution.attempt)
            if not has_it:
                raise lost(self.execution.attempt)
            yield

    def finish(
        self, status: JobStatus = JobStatus.DONE, *, text: str | None = None, result: Any = None
    ) -> None:
        """End the job now; inside a transaction, its end and other writes are stored together or not at all.

        Raises:
            JobLost: another worker has it.
            InvalidParams: the result can't be stored.
        """
        self.execution.end(status, text=text, result=checked_result(result))

"""Errors of jobs. Those below `JobConflict` answer 409: the job is not in a state that allows it."""

from __future__ import annotations

from typing import ClassVar

from pagoda_plugin_sdk.exceptions import JobCanceled, PagodaError


class JobError(PagodaError):
    """Something about a job is at fault."""

    code: ClassVar[str] = "job_error"


class JobConflict(JobError):
    """The job's state does not allow what was asked."""

    code: ClassVar[str] = "job_conflict"


class JobAlreadyFinished(JobConflict):
    """A finished job was to be cancelled."""

    code: ClassVar[str] = "job_already_finished"


class JobNotCancelable(JobConflict):
    """The operation's jobs can't be cancelled."""

    code: ClassVar[str] = "job_not_cancelable"


class JobNotRetryable(JobConflict):
    """A job that has not failed was to be run again."""

    code: ClassVar[str] = "job_not_retryable"


class JobNotQueued(JobConflict):
    """A job that neither waits nor runs was to be queued anew."""

    code: ClassVar[str] = "job_not_queued"


class PluginNotActive(JobConflict):
    """The plugin whose task was to run is enabled and not in service."""

    code: ClassVar[str] = "plugin_not_active"


class TaskNotOffered(JobConflict):
    """The task is one that its plugin starts itself."""

    code: ClassVar[str] = "task_not_offered"


class UnknownTarget(JobError):
    """What a job was to work on is not there for its user; `field` is ``entry`` or ``entity``."""

    code: ClassVar[str] = "unknown_target"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class UnknownOperation(JobError):
    """No operation has this name or number."""

    code: ClassVar[str] = "unknown_operation"


class UnknownQueue(JobError):
    """No worker of an active plugin, nor the host's, serves this queue."""

    code: ClassVar[str] = "unknown_queue"


class InvalidParams(JobError):
    """What a job is given, or gives back, can't be stored."""

    code: ClassVar[str] = "invalid_params"


class TooManyJobs(JobError):
    """A user has as many unfinished jobs as the setting JOB_MAX_QUEUED_PER_USER allows."""

    code: ClassVar[str] = "too_many_jobs"


class NoRunner(JobError):
    """This process can't run jobs."""

    code: ClassVar[str] = "no_runner"


class JobLost(JobCanceled):
    """Raised inside a task whose claim is gone: another worker has the job, or it ended; nothing is kept."""

    code: ClassVar[str] = "job_lost"

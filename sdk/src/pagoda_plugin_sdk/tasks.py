"""Background tasks of plugins: how they are declared and how they become operations of jobs.

Two ways to write a task::

    @register_plugin_job_task(0)            # the raw form: a Celery task that drives its Job itself
    @celery_app.task(bind=True)
    def rebuild(self, job_id): ...

    @plugin_task(1, hard_time_limit_seconds=600)   # the runner does claim, status, errors and cancel
    def scan(job): ...
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict, TypeGuard, Unpack, overload

from celery import Celery, Task, shared_task
from celery.schedules import ParseException, crontab

from pagoda_plugin_sdk import models
from pagoda_plugin_sdk.exceptions import PluginValidationError
from pagoda_plugin_sdk.operations import JobOperation, JobStatus, JobTarget
from pagoda_plugin_sdk.params import EntryReference, model_faults
from pagoda_plugin_sdk.task_config import PluginTaskConfig, is_offset
from pagoda_plugin_sdk.task_registry import Operation, PluginTaskRegistry, TaskRegistry

if TYPE_CHECKING:
    from pydantic import BaseModel  # the plugin's own dependency

    from pagoda_plugin_sdk.models import Job
    from pagoda_plugin_sdk.protocols import UserProtocol

__all__ = [
    "EntryReference",
    "Job",
    "JobContext",
    "JobLogger",
    "JobOperation",
    "JobStatus",
    "JobTarget",
    "Operation",
    "PluginTaskConfig",
    "PluginTaskRegistry",
    "TaskOptions",
    "TaskRegistry",
    "celery_app",
    "plugin_task",
    "register_plugin_job_task",
    "task_offset",
    "task_options",
]

OFFSET = "_offset"
"""Name of the attribute that holds a task's offset in its plugin's range of operation ids."""

OPTIONS = "_task_options"
"""Name of the attribute that marks a ``def f(job)`` task and holds its `TaskOptions`."""

_PERMISSION = re.compile(r"\w{1,100}\.\w{1,100}", re.ASCII)

LONGEST_SECONDS = 366 * 24 * 3600
MOST_ATTEMPTS = 1000
TARGETS = ("entry", "entity")


def __getattr__(name: str) -> Any:
    if name != "Job":  # the host's class, once it is there
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return models.Job


class OffsetTask(Task):  # type: ignore[type-arg]  # of Celery, generic in its stubs alone
    """A Celery task that tells its offset as ``task._offset``; None for one that is not marked."""

    abstract = True

    @property
    def _offset(self) -> int | None:
        return task_offset(self)


class CeleryAppProxy:
    """Stands for the host's Celery app: `task` works before that app exists, the rest once it is bound."""

    def __init__(self) -> None:
        self._app: Celery | None = None

    def bind(self, app: Celery) -> None:
        """Let the proxy stand for `app`; the host calls it once per process."""
        self._app = app

    def task(self, *args: Any, **options: Any) -> Any:
        """Declare a Celery task, as ``Celery.task`` does; the host's app finds it when it starts."""
        return shared_task(*args, **{"base": OffsetTask, **options})

    def __getattr__(self, name: str) -> Any:
        app = self.__dict__.get("_app")
        if app is None:
            raise AttributeError(
                f"celery_app.{name} is not available yet: the host's Celery app does not exist. "
                "Only celery_app.task may be used before the host is up."
            )
        return getattr(app, name)


celery_app = CeleryAppProxy()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """What a ``def f(job)`` task asks of the runner; None means the host's default."""

    soft_time_limit_seconds: float | None = None  # raises JobTimeLimitExceeded inside the task
    hard_time_limit_seconds: float | None = None  # ends the job as TIMEOUT, the process is killed
    max_attempts: int | None = None  # tries in all, failures and lost workers counted together
    retry_backoff_seconds: float | None = None  # wait before the second try, doubled for each further one
    schedule: str | None = None  # five cron fields, in UTC: "*/15 * * * *"
    singleton: bool = False  # at most one unfinished job of the task
    params_model: type[BaseModel] | None = None  # checks params; people may run the task, from a form
    permission: str | None = None  # of Django, "app.codename": who runs it from outside needs it
    target: Literal["entry", "entity"] | None = None  # what it works on: people have to give one of these
    target_entity: str | None = None  # name of the only entity that this may be, or that its entries are of

    def __post_init__(self) -> None:
        faults = [*self._limit_faults(), *self._attempt_faults(), *self._params_faults()]
        if faults:
            raise PluginValidationError(f"Task options are invalid: {'; '.join(faults)}.")

    def _limit_faults(self) -> list[str]:
        fields = ("soft_time_limit_seconds", "hard_time_limit_seconds", "retry_backoff_seconds")
        faults = [
            f"`{field}` is {value!r}, expected a positive number of seconds, at most a year"
            for field in fields
            if (value := getattr(self, field)) is not None and not _is_duration(value)
        ]
        soft, hard = self.soft_time_limit_seconds, self.hard_time_limit_seconds
        if _is_duration(soft) and _is_duration(hard) and soft >= hard:
            faults.append(f"soft limit {soft} s is not below hard limit {hard} s")
        return faults

    def _attempt_faults(self) -> list[str]:
        faults = []
        if self.max_attempts is not None and not (
            is_offset(self.max_attempts) and 1 <= self.max_attempts <= MOST_ATTEMPTS
        ):
            faults.append(f"`max_attempts` is {self.max_attempts!r}, expected 1 to {MOST_ATTEMPTS}")
        if self.schedule is not None and (why := _schedule_fault(self.schedule)) is not None:
            faults.append(
                f"`schedule` is {self.schedule!r}, expected five cron fields, such as '*/15 * * * *'{why}"
            )
        singleton: object = self.singleton
        if not isinstance(singleton, bool):
            faults.append(f"`singleton` is {self.singleton!r}, expected True or False")
        return faults

    def _params_faults(self) -> list[str]:
        faults = list(model_faults("params_model", self.params_model))
        permission: object = self.permission
        if permission is not None and not (isinstance(permission, str) and _PERMISSION.fullmatch(permission)):
            faults.append(f'`permission` is {permission!r}, expected "app.codename" of Django, or None')
        if permission is not None and self.params_model is None:
            faults.append("`permission` is for a task that people run: it needs a `params_model`, too")
        faults += self._target_faults()
        if faults or self.params_model is None or self.schedule is None:
            return faults
        needed = [name for name, field in self.params_model.model_fields.items() if field.is_required()]
        if needed:
            faults.append(
                f"`schedule` runs it without params, but `params_model` needs {', '.join(needed)}: "
                "give them defaults"
            )
        return faults

    def _target_faults(self) -> Iterator[str]:
        target: object = self.target
        entity: object = self.target_entity
        if entity is not None and (target is None or not isinstance(entity, str) or not entity.strip()):
            yield f"`target_entity` is {entity!r}, expected the name of an entity, beside a `target`"
        if target is None:
            return
        if target not in TARGETS:
            yield f"`target` is {target!r}, expected {', '.join(map(repr, TARGETS))} or None"
        elif self.params_model is None:
            yield "`target` is for a task that people run: it needs a `params_model`, too"
        elif self.schedule is not None:
            yield "`schedule` runs it without a target: leave out one of the two"


class JobLogger(Protocol):
    """Writes lines that stay with the job; `extra` is kept as JSON."""

    def debug(self, message: str, **extra: Any) -> None: ...
    def info(self, message: str, **extra: Any) -> None: ...
    def warning(self, message: str, **extra: Any) -> None: ...
    def error(self, message: str, **extra: Any) -> None: ...


class JobContext(Protocol):
    """What a ``def f(job)`` task is called with. Returned values become the job's result (JSON)."""

    @property
    def id(self) -> int: ...  # of the job, as in /api/v2/jobs/<id>/
    @property
    def attempt(self) -> int:
        """The number of this try, from 1; it fences a worker that lost the job."""
        ...

    @property
    def user(
        self,
    ) -> UserProtocol | None: ...  # who asked for it, and by whose rights it acts; None: a schedule
    @property
    def target(self) -> Any: ...  # an entry, an entity or None
    @property
    def params(self) -> dict[str, Any]: ...  # what was submitted: JSON values
    def params_as[M: BaseModel](self, model: type[M]) -> M:
        """Return the params as an instance of `model`, the task's `params_model`, with its defaults.

        Raises:
            ParamsRefused: they do not fit; a job that an earlier release of the plugin submitted may not.
        """
        ...

    @property
    def settings(self) -> Any:
        """The plugin's validated settings, those of `Plugin.settings`; None for a plugin that has none."""
        ...

    @property
    def log(self) -> JobLogger: ...  # its lines stay with the job
    def authority(self) -> AbstractContextManager[None]:
        """Return a block in which the plugin acts for itself, see `Plugin.authority`."""
        ...

    def progress(self, percent: float, text: str = "") -> None:
        """Tell how far the work is: 0 to 100, and what it does now. Cheap: stored at most twice a second."""
        ...

    def checkpoint(self) -> None:
        """Raise when the job should stop: call it between steps.

        Raises:
            JobCanceled: somebody cancelled it, or another worker took it over.
            JobTimeLimitExceeded: it ran past its soft time limit.
        """
        ...

    def submit(self, operation_name: str, params: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Queue a follow-up job of the same plugin; a second try of this job does not make it again."""
        ...

    def fence(self) -> AbstractContextManager[None]:
        """Open a transaction that is stored only while this try has the job.

        Raises:
            JobCanceled: another worker has it; nothing of the block is stored.
        """
        ...

    def finish(
        self, status: JobStatus = JobStatus.DONE, *, text: str | None = None, result: Any = None
    ) -> None:
        """End the job now; inside `fence`, its end and the other writes are stored together or not at all."""
        ...

    def attach_file(self, name: str, content: bytes, content_type: str = "application/octet-stream") -> None:
        """Keep a file with the job, for operations declared downloadable."""
        ...


class TaskOptionsGiven(TypedDict, total=False):
    """The fields of `TaskOptions`, as `plugin_task` takes them."""

    soft_time_limit_seconds: float | None
    hard_time_limit_seconds: float | None
    max_attempts: int | None
    retry_backoff_seconds: float | None
    schedule: str | None
    singleton: bool
    params_model: type[BaseModel] | None
    permission: str | None
    target: Literal["entry", "entity"] | None
    target_entity: str | None


@overload
def plugin_task[F: Callable[[JobContext], Any]](offset: F) -> F: ...
@overload
def plugin_task[F: Callable[[JobContext], Any]](
    offset: int = 0, **options: Unpack[TaskOptionsGiven]
) -> Callable[[F], F]: ...
def plugin_task(offset: Any = 0, **options: Any) -> Any:
    """Mark ``def f(job)`` as the task at `offset`; see `TaskOptions` for the options.

    Raises:
        PluginValidationError: an offset or option out of range.
    """
    if callable(offset):
        return plugin_task(0)(offset)
    checked = TaskOptions(**options)

    def decorate[F: Callable[..., Any]](function: F) -> F:
        setattr(function, OPTIONS, checked)
        return register_plugin_job_task(offset)(function)

    return decorate


def _is_duration(value: Any) -> TypeGuard[float]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 < value <= LONGEST_SECONDS  # NaN is in no order


def _schedule_fault(schedule: Any) -> str | None:
    """Return what is wrong with a schedule, "" when that is plain to see; None for one that is due."""
    if not isinstance(schedule, str) or len(schedule.split()) != 5:
        return ""
    try:
        crontab.from_string(schedule)
    except (ParseException, ValueError, TypeError) as error:
        return f" ({str(error).rstrip('.')})"
    return None


def register_plugin_job_task[F: Callable[..., Any]](offset: int) -> Callable[[F], F]:
    """Mark a Celery task ``(self, job_id)`` as the one at `offset` of the plugin's operation ids.

    Raises:
        PluginValidationError: `offset` is not a number from 0.
    """
    if not is_offset(offset):
        raise PluginValidationError(f"Task offset is {offset!r}, expected a whole number from 0.")

    def decorate(function: F) -> F:
        setattr(_marked(function), OFFSET, int(offset))
        return function

    return decorate


def task_offset(task: object) -> int | None:
    """Return the offset that `task` was marked with, or None."""
    offset: int | None = getattr(_marked(task), OFFSET, None)
    return offset


def _marked(task: object) -> object:
    """Return what carries a task's marks: the function itself, as Celery makes a task of it per app."""
    function = getattr(task, "__wrapped__", task)
    return getattr(function, "__func__", function)  # with bind=True Celery wraps a method of the task


def task_options(task: object) -> TaskOptions | None:
    """Return the options of a ``def f(job)`` task, or None for the raw form."""
    options: TaskOptions | None = getattr(task, OPTIONS, None)
    return options

"""Run a ``def f(job)`` task in a test, without host, queue or database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pagoda_plugin_sdk.authority import authority_of
from pagoda_plugin_sdk.exceptions import JobCanceled, PluginValidationError
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.params import checked_params
from pagoda_plugin_sdk.tasks import task_options

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line that a task wrote to its job."""

    level: str  # debug, info, warning, error
    message: str
    extra: dict[str, Any]  # Any: whatever JSON value the task gave


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedFile:
    """A file that a task left with its job."""

    name: str
    content: bytes
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedJob:
    """A follow-up job that a task asked for."""

    operation_name: str
    params: dict[str, Any]
    options: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a task ended its job by itself."""

    status: JobStatus
    text: str | None
    result: Any


class RecordingLogger:
    """Keeps what a task logs: `lines`, in order."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []

    def debug(self, message: str, **extra: Any) -> None:
        self._keep("debug", message, extra)

    def info(self, message: str, **extra: Any) -> None:
        self._keep("info", message, extra)

    def warning(self, message: str, **extra: Any) -> None:
        self._keep("warning", message, extra)

    def error(self, message: str, **extra: Any) -> None:
        self._keep("error", message, extra)

    def messages(self, level: str) -> list[str]:
        """Return the messages of one level."""
        return [line.message for line in self.lines if line.level == level]

    def _keep(self, level: str, message: str, extra: dict[str, Any]) -> None:
        json.dumps(extra)  # the host keeps it as JSON: what it can't store fails here too
        self.lines.append(LogLine(level=level, message=message, extra=extra))


@dataclass(slots=True, kw_only=True)
class FakeJob:
    """A `JobContext` that records what a task tells it."""

    id: int = 1
    attempt: int = 1
    user: Any = None  # a UserProtocol of the test's making
    target: Any = None
    params: dict[str, Any] = field(default_factory=dict)
    settings: Any = None  # an instance of the plugin's settings model
    cancel_at_checkpoint: int | None = None  # number of the checkpoint, from 1, that raises JobCanceled
    log: RecordingLogger = field(default_factory=RecordingLogger)
    progressed: list[tuple[float, str]] = field(default_factory=list)  # (percent, text), in order
    checkpoints: int = 0  # how many were passed or raised
    files: list[AttachedFile] = field(default_factory=list)
    submitted: list[SubmittedJob] = field(default_factory=list)
    end: End | None = None  # set by finish()
    fences: int = 0  # how many were opened

    def params_as[M: BaseModel](self, model: type[M]) -> M:
        """Return the params as an instance of `model`.

        Raises:
            ParamsRefused: they do not fit.
        """
        return checked_params(model, self.params)

    def progress(self, percent: float, text: str = "") -> None:
        """Record `percent` and `text`.

        Raises:
            ValueError: `percent` is not from 0 to 100.
        """
        if not 0 <= percent <= 100:
            raise ValueError(f"Progress is {percent!r}, expected a percentage from 0 to 100.")
        self.progressed.append((percent, text))

    def checkpoint(self) -> None:
        """Count the checkpoint; raise `JobCanceled` at the one that `cancel_at_checkpoint` names."""
        self.checkpoints += 1
        if self.checkpoints == self.cancel_at_checkpoint:
            raise JobCanceled(f"Job {self.id} was cancelled.")

    def submit(self, operation_name: str, params: Mapping[str, Any] | None = None, **options: Any) -> None:
        """Keep what is asked for in `submitted`; nothing is run."""
        job = SubmittedJob(operation_name=operation_name, params=dict(params or {}), options=options)
        self.submitted.append(job)

    def authority(self) -> AbstractContextManager[None]:
        """Return a block in which the plugin acts for itself; where there is no host it changes nothing."""
        return authority_of("")

    @contextmanager
    def fence(self) -> Iterator[None]:
        """Count the fence; this job is never lost to another worker."""
        self.fences += 1
        yield

    def finish(
        self, status: JobStatus = JobStatus.DONE, *, text: str | None = None, result: Any = None
    ) -> None:
        """Keep how the job ended in `end`."""
        self.end = End(status=status, text=text, result=result)

    def attach_file(self, name: str, content: bytes, content_type: str = "application/octet-stream") -> None:
        """Keep the file in `files`."""
        self.files.append(AttachedFile(name=name, content=content, content_type=content_type))


def run_task(task: Callable[..., Any], job: FakeJob | None = None) -> Any:
    """Run a task marked with ``@plugin_task``; return its result as the host stores it, as JSON values.

    Raises:
        PluginValidationError: `task` is no such task, or its result is no JSON.
    """
    if task_options(task) is None:
        raise PluginValidationError(
            f"{task!r} is not marked with @plugin_task. Mark it; "
            "a task of the raw form is called with the id of a Job, as Celery does."
        )
    result = task(job if job is not None else FakeJob())
    try:
        return json.loads(json.dumps(result))
    except (TypeError, ValueError) as error:
        raise PluginValidationError(
            f"Task {task.__name__!r} returned {result!r}, which is no JSON value ({error}). "
            "Return None, or dicts and lists of text and numbers."
        ) from error

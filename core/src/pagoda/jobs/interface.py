"""What a `Job` offers to tasks in the raw form, to views and to plugins: the SDK's JobProtocol.

A task that a worker's runner calls writes under the runner's claim. One that is called otherwise, in a test
or by hand, claims the job in `proceed_if_ready`, for as long as its hard limit.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone

from pagoda import running
from pagoda.domain.acting import acting_authority
from pagoda.domain.authority import PluginAuthority, beyond
from pagoda.domain.user.permissions import require_acting_for
from pagoda.jobs import operations, store
from pagoda.jobs.engine import run_attempt
from pagoda.jobs.execution import Execution, current_execution, lost
from pagoda.jobs.foreign import job_text
from pagoda.jobs.job_errors import InvalidParams, JobLost
from pagoda.jobs.models import Job
from pagoda_plugin_sdk.operations import JobStatus

_OWN = "_own_execution"
"""Where a job object keeps the claim that it made outside of a runner."""


def submit(*, plugin: str, operation_name: str, user: Any, **options: Any) -> Job:
    """Make a job and have it run on commit; `options` are further fields of `store.JobRequest`.

    Raises:
        UnknownOperation: the plugin has no such operation.
        InvalidParams: params or target can't be stored.
    """
    operation = _submittable(operations.resolve_name(plugin, operation_name), user)
    return store.submit(store.JobRequest(operation=operation, user=user, **options))


def submit_many(
    *, plugin: str, operation_name: str, user: Any, params: Iterable[Mapping[str, Any] | str]
) -> list[Job]:
    """Make and run one job per item of `params`, as `submit` does.

    Raises:
        UnknownOperation: the plugin has no such operation.
        InvalidParams: some params can't be stored; no job is made then.
    """
    operation = _submittable(operations.resolve_name(plugin, operation_name), user)
    return store.submit_many(store.JobRequest(operation=operation, user=user), params)


def create_new_job(
    user: Any,
    operation_id: int | None = None,
    params: Mapping[str, Any] | str | None = None,
    *,
    operation: int | None = None,
    target: Any = None,
    text: str = "",
    depend_on: Job | None = None,
    **options: Any,
) -> Job:
    """Create a job that waits for `run`; `operation` is another name of `operation_id`.

    `options` are further fields of `store.JobRequest`: run_at, idempotency_key, singleton_key.

    Raises:
        UnknownOperation: no enabled source has the operation.
        InvalidParams: params or target can't be stored.
    """
    number = operation_id if operation_id is not None else operation
    if number is None:
        raise InvalidParams("A job needs an operation: give its id, see PluginTaskRegistry.get_operation_id.")
    request = store.JobRequest(
        operation=_submittable(operations.resolve(number), user),
        user=user,
        params={} if params is None else params,
        target=target,
        text=text,
        depend_on=depend_on,
        **options,
    )
    return store.create(request)


def run(job: Job, *, will_delay: bool) -> str | None:
    """Queue the job on commit, or run it here and now and return how it ended in a word."""
    _require_own(job)
    if will_delay:
        store.run(job)
        return None
    spec = operations.resolve(job.operation)  # before the claim, which an unknown one would leave behind
    attempt = _claim(job)
    if attempt is None:
        return None
    interrupts: list[BaseException] = []

    def pass_on(error: BaseException) -> None:  # an interrupt of the caller's goes on; the rest is in the log
        if not isinstance(error, (Exception, SystemExit, GeneratorExit, asyncio.CancelledError)):
            interrupts.append(error)

    ending = run_attempt(attempt, spec, report=pass_on)
    job.refresh_from_db()
    if interrupts:
        raise interrupts[0]
    return ending


def may_schedule(job: Job) -> bool:
    """Return whether it still waits for the job it depends on."""
    return job.depend_on_id is not None and Job.objects.filter(pk=job.depend_on_id, finished_at=None).exists()


def is_timeout(job: Job) -> bool:
    """Return whether it ended, or should have ended, by its time limit."""
    if JobStatus(job.status).is_finished or job.started_at is None or job.lease_expires_at is None:
        return job.status == JobStatus.TIMEOUT
    return timezone.now() > job.started_at + timedelta(seconds=job.hard_limit_seconds)


def is_finished(job: Job, *, with_refresh: bool) -> bool:
    """Return whether no more work will be done for it."""
    if with_refresh:
        job.refresh_from_db(fields=["status"])
    return JobStatus(job.status).is_finished


def is_canceled(job: Job) -> bool:
    """Return whether it was cancelled or is asked to stop; reads the database."""
    job.refresh_from_db(fields=["status", "cancel_requested_at"])
    is_asked = job.status == JobStatus.CANCELED or job.cancel_requested_at is not None
    execution = _execution(job)
    if execution is not None and is_asked:
        execution.saw_cancel = True
    return is_asked


def proceed_if_ready(job: Job) -> bool:
    """Return whether the calling task may do the work now."""
    _require_own(job)
    execution = _execution(job)
    if execution is not None:
        try:
            return not execution.is_asked_to_stop()
        except JobLost:
            return False
    if is_canceled(job) or JobStatus(job.status).is_finished or may_schedule(job):
        return False
    attempt = _claim(job)
    if attempt is None:
        return False
    setattr(job, _OWN, Execution(attempt))
    return True


def update(job: Job, *, status: int | None, text: str | None, target: Any, operation: int | None) -> None:
    """Store what is given under the claim of the calling task, or, when no worker has the job, without one.

    Raises:
        JobLost: the claim is gone, or a worker has the job; nothing is stored.
    """
    _require_own(job)
    execution = _execution(job)
    _store_details(job, execution, target, operation)
    wanted = None if status is None else JobStatus(status)
    if wanted is not None and wanted.is_finished:
        _end(job, execution, wanted, text)
    elif text is not None:
        _store_text(job, execution, text)
    if wanted is not None:
        job.status = wanted
    if text is not None:
        job.text = job_text(text)


def to_json(job: Job) -> dict[str, Any]:
    """Return what people see of it as JSON values."""
    spec, target = operations.of_job(job.plugin, job.operation, job.operation_name), job.target
    return {
        "id": job.pk,
        "user": job.user.username if job.user is not None else None,
        "plugin": job.plugin,
        "operation": job.operation,
        "operation_name": job.operation_name,
        "status": int(job.status),
        "phase": str(job.phase),
        "text": job.text,
        "error": job.error,
        "progress": {"percent": job.progress_percent, "text": job.progress_text},
        "target_type": int(job.target_type),
        "target": None if target is None else {"id": target.pk, "name": target.name},
        "created_at": job.created_at.isoformat(),
        "updated_at": job.updated_at.isoformat(),
        "can_cancel": job.finished_at is None and (spec is None or spec.is_cancelable),
    }


def register_method_table(operation: int, method: Any) -> None:
    """Make `method` the task of a core operation."""
    operations.register_job_task(operation)(method)


def method_table() -> Mapping[int, Any]:
    """Return ``{operation id: task}`` of core, custom and plugin tasks."""
    return operations.method_table()


def _submittable(operation: operations.OperationSpec, user: Any) -> operations.OperationSpec:
    """Return the operation if the calling code may submit it for `user`: its own, or granted."""
    require_acting_for(user)
    code, whose = running.innermost(), operation.plugin_id or "core"
    if code is None or code.plugin_id == whose:
        return operation
    authority = acting_authority() or PluginAuthority(code.plugin_id)
    authority.require("job:submit", whose)
    return operation


def _require_own(job: Job) -> None:
    code = running.innermost()
    if code is not None and code.plugin_id != job.plugin:
        whose = job.plugin or "core"
        beyond(code.plugin_id, "change another's job", f"can't change job {job.pk}, which is of {whose!r}")


def _execution(job: Job) -> Execution | None:
    current = current_execution()
    if current is not None and current.attempt.job_id == job.pk:
        return current
    own: Execution | None = getattr(job, _OWN, None)
    return own


def _claim(job: Job) -> store.Attempt | None:
    """Claim a job that the calling process runs outside of a worker, without a heartbeat."""
    store.run_here(job)
    owner = store.owner_of(f"inline:{socket.gethostname()}", os.getpid())
    return store.claim(job.pk, owner, job.hard_limit_seconds)


def _end(job: Job, execution: Execution | None, status: JobStatus, text: str | None) -> None:
    if execution is not None:
        execution.end(status, text=text)
    elif not store.settle(job, status, text=text):
        raise _not_ours(job)


def _store_text(job: Job, execution: Execution | None, text: str) -> None:
    if execution is not None:
        if not store.set_text(execution.attempt, text):
            raise lost(execution.attempt)
    elif not store.held(job.pk, None).update(text=job_text(text)):
        raise _not_ours(job)


def _store_details(job: Job, execution: Execution | None, target: Any, operation: int | None) -> None:
    fields: dict[str, Any] = {} if target is None else store.target_fields(target)
    if operation is not None:
        fields |= {"operation": operation, "operation_name": operations.resolve(operation).name}
    if not fields:
        return
    if not store.held(job.pk, execution.attempt if execution is not None else None).update(**fields):
        raise lost(execution.attempt) if execution is not None else _not_ours(job)
    for name, value in fields.items():
        setattr(job, name, value)


def _not_ours(job: Job) -> JobLost:
    return JobLost(
        f"Job {job.pk} can't be changed from here: a worker has it, or it has ended. "
        "Call proceed_if_ready() first, and go on only when it returns True."
    )

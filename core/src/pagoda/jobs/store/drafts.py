"""From what a caller asks for to a row: limits, keys and what must finish first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

import structlog

from pagoda.jobs import runtime
from pagoda.jobs.foreign import checked_key, job_text, params_text
from pagoda.jobs.job_errors import InvalidParams, TooManyJobs
from pagoda.jobs.models import Job
from pagoda.jobs.operations import OperationSpec, hosts_own_numbers
from pagoda.jobs.params import require_params
from pagoda.jobs.store.claims import execute
from pagoda_plugin_sdk.operations import JobStatus, JobTarget
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.tasks import TaskOptions
from pagoda_plugin_sdk.washing import shown, washed

REQUEST_ID_MAX = 100

SOFT_SHARE = 0.9
"""Where an operation has only a hard limit, its soft one is at most this part of it."""

_TARGETS = {"entry.entry": JobTarget.ENTRY, "entity.entity": JobTarget.ENTITY}
_NO_OPTIONS = TaskOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What a caller asks for."""

    operation: OperationSpec
    user: Any = None  # a User, or None when nobody asks: schedules, the host itself
    plugin: str | None = None  # whose queue and name the job has; by default the operation's
    params: Mapping[str, Any] | str = field(default_factory=dict)  # JSON values, or JSON text
    target: Any = None  # an Entry, an Entity or None
    text: str = ""
    depend_on: Job | None = None
    run_at: datetime | None = None  # not before
    idempotency_key: str = ""  # the same key, plugin and operation: the same job
    singleton_key: str = ""  # at most one unfinished job of the operation has it


def draft(request: JobRequest, status: JobStatus) -> Job:
    """Return the unsaved row of a request.

    Raises:
        InvalidParams: params, a key or target can't be stored.
        ParamsRefused: the params do not fit the model that the task declares.
    """
    spec = request.operation
    plugin = spec.plugin_id if request.plugin is None else request.plugin
    target, params = target_fields(request.target), params_text(request.params)
    require_params(spec, params)
    return Job(
        user=request.user,
        plugin=plugin,
        operation=spec.number,
        operation_name=spec.name,
        queue=f"plugin.{plugin}" if plugin else spec.queue,
        status=status,
        text=job_text(request.text),
        params=params,
        depend_on=request.depend_on,
        run_at=request.run_at,
        idempotency_key=checked_key(request.idempotency_key, "idempotency key"),
        singleton_key=_singleton_key(request, plugin),
        serial_key=_serial_key(request, plugin, target["target_type"]),
        task_id=str(uuid4()),
        request_id=washed(structlog.contextvars.get_contextvars().get("request_id", ""), REQUEST_ID_MAX),
        registry_digest=runtime.registry_digest(),
        **target,
        **_limits(spec.options or _NO_OPTIONS),
    )


def require_room(job: Job, count: int = 1) -> None:
    """Check that the user of `job` may have `count` more unfinished ones; what the host does itself is free.

    Raises:
        TooManyJobs: they would be more than JOB_MAX_QUEUED_PER_USER.
    """
    own = hosts_own_numbers()
    if job.user is None or job.operation in own:
        return
    most = runtime.host_settings().job_max_queued_per_user
    sql = f"""SELECT count(*) FROM (SELECT 1 FROM job_job WHERE user_id = %s AND finished_at IS NULL
        AND operation NOT IN ({", ".join(map(str, own))}) LIMIT %s) AS unfinished"""
    found = execute(sql, [job.user_id, most])[0][0]
    if found + count > most:
        raise TooManyJobs(
            say(
                "User {user!r} has {found:,} unfinished jobs and can't have {count:,} more: at most "
                "{most:,} are allowed. Wait for some to end, cancel some, or ask the operator to "
                "raise JOB_MAX_QUEUED_PER_USER.",
                user=job.user.username,
                found=found,
                count=count,
                most=most,
            )
        )


def target_fields(target: Any) -> dict[str, Any]:
    """Return the fields of a job that works on `target`: an entry, an entity or None.

    Raises:
        InvalidParams: it is none of these.
    """
    kind = _target_type(target)
    return {
        "target_type": kind,
        "target_entry": target if kind == JobTarget.ENTRY else None,
        "target_entity": target if kind == JobTarget.ENTITY else None,
    }


def _limits(options: TaskOptions) -> dict[str, Any]:
    settings = runtime.host_settings()
    hard, soft = options.hard_time_limit_seconds, options.soft_time_limit_seconds
    if hard is None:
        hard = max(settings.job_hard_limit_seconds, (soft or 0.0) / SOFT_SHARE)
    retries = options.max_attempts is not None or options.retry_backoff_seconds is not None
    return {
        "hard_limit_seconds": hard,
        "soft_limit_seconds": min(settings.job_soft_limit_seconds, hard * SOFT_SHARE)
        if soft is None
        else soft,
        "max_attempts": options.max_attempts or settings.job_max_attempts,
        "retry_backoff_seconds": (
            (options.retry_backoff_seconds or settings.job_retry_backoff_seconds) if retries else None
        ),
    }


def _singleton_key(request: JobRequest, plugin: str) -> str:
    spec = request.operation
    is_singleton = spec.options is not None and spec.options.singleton
    if not is_singleton and not request.singleton_key:
        return ""
    return checked_key(request.singleton_key, "singleton key", prefix=f"{plugin}:{spec.number}:")


def _serial_key(request: JobRequest, plugin: str, target_type: JobTarget) -> str:
    spec = request.operation
    if spec.is_parallelizable or target_type == JobTarget.UNKNOWN:
        return ""
    return f"{plugin}:{spec.number}:{int(target_type)}:{request.target.pk}"


def _target_type(target: Any) -> JobTarget:
    if target is None:
        return JobTarget.UNKNOWN
    label = getattr(getattr(target, "_meta", None), "label_lower", None)
    if label not in _TARGETS:
        raise InvalidParams(f"Target of a job is {shown(target)}, expected an entry, an entity or None.")
    return _TARGETS[label]

"""Making jobs: a row and its audit event first, its message once they are committed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from functools import cache, partial
from typing import Any
from uuid import uuid4

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.base import ModelState
from django.db.models.functions import Now
from django.utils import timezone

from pagoda.audit.actions import Action
from pagoda.audit.models import AuditEvent
from pagoda.audit.recording import Record, prepared, record_all
from pagoda.config.accounts import is_plugins, plugin_account
from pagoda.jobs import operations, runtime
from pagoda.jobs.clock import after, parse_moment, sql_after, sql_now
from pagoda.jobs.foreign import params_text
from pagoda.jobs.job_errors import JobError
from pagoda.jobs.models import Job
from pagoda.jobs.operations import task_name
from pagoda.jobs.params import require_params
from pagoda.jobs.publisher import Message
from pagoda.jobs.store.claims import UNCLAIMED, changed, execute
from pagoda.jobs.store.drafts import JobRequest, draft, require_room
from pagoda.jobs.transitions import Event, sources
from pagoda_plugin_sdk.operations import JobStatus

GRACE_SECONDS = 2.0
"""What is committed is published at once; the dispatcher looks after what still is not after this time."""

KEY_TRIES = 3
"""The job that has a key may end between looking for it and making ours."""

BATCH = 500
"""Jobs of one statement."""

_TIMES = ("created_at", "updated_at", "publish_at", "published_at")
_PER_ROW = ("params", "task_id")
_LITERALS: dict[object, str] = {None: "NULL", "": "''", 0: "0"}
_CHOSEN = frozenset({
    "user_id", "plugin", "operation", "operation_name", "queue", "params", "text", "status", "task_id",
    "target_type", "target_entity_id", "target_entry_id", "request_id", "registry_digest",
    "idempotency_key", "singleton_key", "serial_key", "run_at", "depend_on_id", "is_waiting",
    "max_attempts", "retry_backoff_seconds", "soft_limit_seconds", "hard_limit_seconds",
})  # fmt: skip
"""What a request decides. The other columns start with their defaults, which stand in the statement itself:
psycopg keeps the parsed form of a statement of at most 50 parameters."""


def create(request: JobRequest) -> Job:
    """Return a new job that waits for `run`, or the one that has the request's keys already.

    Raises:
        TooManyJobs: the user has as many unfinished ones as one may have.
        InvalidParams: params or target can't be stored.
    """
    return _save(draft(request, JobStatus.PREPARING))[0]


def submit(request: JobRequest) -> Job:
    """Return a new job that is queued on commit, or the one that has the request's keys already.

    Raises:
        TooManyJobs: the user has as many unfinished ones as one may have.
        InvalidParams: params or target can't be stored.
    """
    job, is_new = _save(draft(request, JobStatus.PROCESSING))
    if is_new and job.published_at is not None:
        publish_on_commit([job])
    return job


def submit_many(request: JobRequest, params: Iterable[Mapping[str, Any] | str]) -> list[Job]:
    """Submit `request` once for each item of `params`: one insert, and one round trip for their messages.

    Jobs with keys or a dependency, and those that run one at a time, are submitted one by one.

    Raises:
        TooManyJobs: the user would have more unfinished ones than one may have; no job is made then.
        InvalidParams: some params can't be stored; no job is made then.
    """
    texts = [params_text(item) for item in params]
    if not texts:
        return []
    template = draft(replace(request, params=texts[0]), JobStatus.PROCESSING)
    for text in texts[1:]:
        require_params(request.operation, text)
    keys = (template.idempotency_key, template.singleton_key, template.serial_key)
    is_plain = not any(keys) and template.depend_on_id is None and _is_due(template)
    if not is_plain or _is_of_others(template):
        with transaction.atomic():
            return [submit(replace(request, params=text)) for text in texts]
    require_room(template, len(texts))
    with one_transaction():
        jobs = insert_many(template, texts)
        record_jobs(Action.JOB_SUBMITTED, jobs)
    publish_on_commit(jobs)
    return jobs


def run(job: Job) -> bool:
    """Queue a job made by `create`, on commit; False when it was asked to run before."""
    is_waiting = _is_unfinished(job.depend_on_id)
    goes_out = not is_waiting and _is_due(job)
    unless_waiting = F("run_at") if job.run_at is not None else after(GRACE_SECONDS)
    publish_at = None if is_waiting else unless_waiting
    updated = Job.objects.filter(pk=job.pk, status__in=sources(Event.RUN, JobStatus.PROCESSING)).update(
        status=JobStatus.PROCESSING,
        is_waiting=is_waiting,
        publish_at=publish_at,
        published_at=Now() if goes_out else None,
        updated_at=Now(),
    )
    if not updated:
        return False
    job.status, job.is_waiting = JobStatus.PROCESSING, is_waiting
    if goes_out:
        publish_on_commit([job])
    return True


def run_here(job: Job) -> bool:
    """Make a job that was not asked to run claimable by the calling process, without a message."""
    updated = Job.objects.filter(pk=job.pk, status__in=sources(Event.RUN, JobStatus.PROCESSING)).update(
        status=JobStatus.PROCESSING, publish_at=after(GRACE_SECONDS), updated_at=Now()
    )
    return bool(updated)


def _save(job: Job) -> tuple[Job, bool]:
    """Insert the row and return it with True, or the job that has its keys with False."""
    _order_after_others(job)
    if _is_of_others(job):
        require_room(job)
        return job, _hand_over(job)
    goes_out = job.status == JobStatus.PROCESSING and not job.is_waiting and _is_due(job)
    if not job.idempotency_key and not job.singleton_key:
        require_room(job)
        insert(job, goes_out=goes_out)
        return job, True
    for _ in range(KEY_TRIES):
        if (held := _holder_of_keys(job)) is not None:
            return held, False
        require_room(job)
        try:
            with transaction.atomic():
                insert(job, goes_out=goes_out)
        except IntegrityError:  # somebody else was faster
            continue
        return job, True
    raise JobError(
        f"Job {job.operation_name!r} with the keys {job.idempotency_key!r}, {job.singleton_key!r} was made "
        f"and ended by others {KEY_TRIES} times while this request tried. Try again."
    )


def _is_of_others(job: Job) -> bool:
    """Return whether the account of this process, a plugin's worker, can't insert the job itself."""
    account = connection.settings_dict["USER"]
    return is_plugins(account) and account != plugin_account(job.plugin)


def _hand_over(job: Job) -> bool:
    """Have the database insert the job of another plugin, if this one may submit it; False: there is one.

    The dispatcher publishes it, as this process reaches its own queue alone.
    """
    fields = _fields()
    asked = json.dumps(dict(zip(fields, _values(job, fields), strict=True)), default=str)
    with one_transaction():
        row = execute("SELECT id, created_at, is_new FROM pagoda_worker.submit_job(%s::jsonb)", [asked])[0]
        _inserted(job, row, goes_out=False)
        if row[2]:
            record_jobs(Action.JOB_SUBMITTED, [job])
    return bool(row[2])


def _order_after_others(job: Job) -> None:
    """Have jobs that run one at a time wait for the newest one before them."""
    if job.serial_key and job.depend_on_id is None:
        others = Job.objects.filter(serial_key=job.serial_key, finished_at=None)
        job.depend_on_id = others.order_by("-id").values_list("id", flat=True).first()
    is_queued = job.status == JobStatus.PROCESSING
    job.is_waiting = is_queued and _is_unfinished(job.depend_on_id)
    job.publish_at = job.run_at if is_queued and not job.is_waiting else None


def _holder_of_keys(job: Job) -> Job | None:
    if job.idempotency_key:
        same = {"plugin": job.plugin, "operation": job.operation, "idempotency_key": job.idempotency_key}
        if (held := Job.objects.filter(**same).first()) is not None:
            return held
    if job.singleton_key:
        return Job.objects.filter(singleton_key=job.singleton_key, finished_at=None).first()
    return None


def _is_unfinished(job_id: int | None) -> bool:
    return job_id is not None and Job.objects.filter(pk=job_id, finished_at=None).exists()


def _is_due(job: Job) -> bool:
    """Return whether its message should go out now. This machine's clock will do: the claim checks again."""
    return job.run_at is None or job.run_at <= timezone.now()


def publish_on_commit(jobs: Sequence[Job]) -> None:
    """Publish the messages of these jobs once the current transaction is committed; nothing on a rollback.

    A broker that is away delays the jobs, never the caller: the dispatcher publishes them later.
    """
    if jobs:
        transaction.on_commit(partial(publish, [message_of(job) for job in jobs]), robust=True)


def publish(messages: Sequence[Message]) -> int:
    """Publish messages, unmark the jobs of those that are left, and return how many went out."""
    sent = {message.job_id for message in runtime.publisher().publish(messages)}
    give_back([message.job_id for message in messages if message.job_id not in sent])
    return len(sent)


def give_back(job_ids: Sequence[int], *, delay_seconds: float = 1.0) -> None:
    """Note that the messages of these jobs did not go out: the dispatcher is to send them after the delay."""
    for start in range(0, len(job_ids), BATCH):
        batch = job_ids[start : start + BATCH]
        sql = f"""UPDATE job_job SET published_at = NULL, publish_at = {sql_after()}
            WHERE id IN ({", ".join(["%s"] * len(batch))}) AND {UNCLAIMED} AND publish_at IS NOT NULL"""
        changed(sql, (delay_seconds, *batch))


def message_of(job: Job) -> Message:
    """Return the message that brings a worker to `job`."""
    return Message(
        job_id=job.pk,
        task_name=task_name(job.operation, job.plugin, job.operation_name),
        task_id=job.task_id,
        queue=job.queue,
        plugin=job.plugin,
        user_id=job.user_id,
    )


def insert(job: Job, *, goes_out: bool) -> None:
    """Insert the row of `job` and its audit event; `goes_out`: its message is published with the commit.

    Raises:
        IntegrityError: another job has one of its keys.
    """
    fields, defaults = _fields(), _defaults()
    values_sql = _names((*["%s"] * len(fields), *defaults.values(), _times(goes_out)))
    sql = f"""INSERT INTO job_job ({_names((*fields, *defaults, *_TIMES))}) VALUES ({values_sql})
        RETURNING id, created_at"""
    values = [*_values(job, fields), *(() if goes_out else (job.publish_at,))]
    event = event_of(Action.JOB_SUBMITTED, [job])
    if event is None:
        rows = execute(sql, values)
    elif connection.vendor == "postgresql":
        # Both rows in one statement: with a transaction around two it would be four round trips.
        columns = prepared(event)
        picked = ", ".join("CAST(job.id AS text)" if name == "subject_id" else "%s" for name in columns)
        sql = f"""WITH job AS ({sql}), event AS (
                INSERT INTO {AuditEvent._meta.db_table} ({_names(columns)}) SELECT {picked} FROM job)
            SELECT id, created_at FROM job"""
        rows = execute(sql, [*values, *(value for name, value in columns.items() if name != "subject_id")])
    else:
        with one_transaction():
            rows = execute(sql, values)
            record_all([replace(event, subject_id=rows[0][0])])
    _inserted(job, rows[0], goes_out=goes_out)


def insert_many(template: Job, params: Sequence[str]) -> list[Job]:
    """Insert a row like `template` for each item of `params`, JSON texts, and return them in order.

    Their messages are published with the commit.
    """
    fields, defaults = tuple(name for name in _fields() if name not in _PER_ROW), _defaults()
    values_sql = _names((*["%s"] * len(fields), *defaults.values(), _times(True)))
    sql = f"""INSERT INTO job_job ({_names((*fields, *defaults, *_TIMES, *_PER_ROW))})
        SELECT {values_sql}, params, task_id FROM {_rows_of_json()} AS rows
        RETURNING task_id, id, created_at"""
    jobs = [_like(template, text) for text in params]
    rows = json.dumps([[job.params, job.task_id] for job in jobs])
    found = {row[0]: row[1:] for row in execute(sql, (*_values(template, fields), rows))}
    for job in jobs:
        _inserted(job, found[job.task_id], goes_out=True)
    return jobs


@cache
def _fields() -> dict[str, Any]:
    """Return the columns whose value a request decides: ``{attribute: Django field}``."""
    return {f.attname: f for f in Job._meta.concrete_fields if f.attname in _CHOSEN}


@cache
def _defaults() -> dict[str, str]:
    """Return the columns that every new job has alike: ``{attribute: SQL}``."""
    others = [f for f in Job._meta.concrete_fields if f.attname not in {"id", *_CHOSEN, *_TIMES}]
    return {f.attname: _LITERALS[f.get_default()] for f in others}


def _names(columns: Iterable[str]) -> str:
    return ", ".join(columns)


def _times(goes_out: bool) -> str:
    now = sql_now()
    return f"{now}, {now}, {now}, {now}" if goes_out else f"{now}, {now}, %s, NULL"


def _rows_of_json() -> str:
    if connection.vendor == "postgresql":
        return "(SELECT r->>0 AS params, r->>1 AS task_id FROM json_array_elements(%s::json) AS r)"
    picked = "JSON_EXTRACT(value, '$[0]') AS params, JSON_EXTRACT(value, '$[1]') AS task_id"
    return f"(SELECT {picked} FROM JSON_EACH(%s))"


def _values(job: Job, columns: Iterable[str]) -> list[Any]:
    fields = _fields()
    return [fields[name].get_db_prep_save(getattr(job, name), connection) for name in columns]


def _like(template: Job, params: str) -> Job:
    job = Job.__new__(Job)  # copy() takes ten times as long
    vars(job).update(vars(template), _state=ModelState(), params=params, task_id=str(uuid4()))
    job._state.fields_cache = {**template._state.fields_cache}
    return job


def _inserted(job: Job, row: Sequence[Any], *, goes_out: bool) -> None:
    created: datetime = parse_moment(row[1])
    job.pk, job.created_at, job.updated_at = row[0], created, created
    job.published_at = created if goes_out else None
    if goes_out:
        job.publish_at = created
    job._state.adding, job._state.db = False, connection.alias


def one_transaction() -> AbstractContextManager[Any]:
    """Return a block in which a change of a job and its event stand or fall together; free inside of one."""
    return nullcontext() if connection.in_atomic_block else transaction.atomic()


def record_jobs(action: Action, jobs: Sequence[Job]) -> None:
    """Record what is done to these jobs, which are of one operation, as one event."""
    if jobs and (event := event_of(action, jobs)) is not None:
        record_all([event])


def event_of(action: Action, jobs: Sequence[Job]) -> Record | None:
    """Return the event of something done to jobs of one operation; None for the host's hidden ones."""
    first = jobs[0]
    if first.operation in operations.hidden_numbers():
        return None
    details: dict[str, Any] = {"job_plugin": first.plugin} if first.plugin else {}
    if len(jobs) > 1:
        details["job_ids"] = [job.pk for job in jobs]
    return Record(
        action=action,
        subject_type="job",
        subject_id=first.pk,
        subject=f"{first.plugin or 'core'}.{first.operation_name}",
        details=details,
        user=first.user if action is Action.JOB_SUBMITTED else None,
    )

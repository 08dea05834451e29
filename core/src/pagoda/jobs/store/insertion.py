"""Inserting rows of jobs: one statement, however many there are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any
from uuid import uuid4

from django.db import connection

from pagoda.audit.actions import Action
from pagoda.audit.models import AuditEvent
from pagoda.audit.recording import prepared, record_all
from pagoda.jobs.clock import parse_moment, sql_now
from pagoda.jobs.models import Job
from pagoda.jobs.store.attempt import execute
from pagoda.jobs.store.auditing import event_of, one_transaction

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
    job = copy(template)
    job._state = copy(template._state)
    job.params, job.task_id = params, str(uuid4())
    return job


def _inserted(job: Job, row: Sequence[Any], *, goes_out: bool) -> None:
    created: datetime = parse_moment(row[1])
    job.pk, job.created_at, job.updated_at = row[0], created, created
    job.published_at = created if goes_out else None
    if goes_out:
        job.publish_at = created
    job._state.adding, job._state.db = False, connection.alias

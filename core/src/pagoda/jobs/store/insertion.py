"""Inserting rows of jobs: one statement, however many there are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from copy import copy
from datetime import datetime
from functools import cache
from typing import Any
from uuid import uuid4

from django.db import connection

from pagoda.jobs.clock import parse_moment, sql_now
from pagoda.jobs.models import Job
from pagoda.jobs.store.attempt import execute

_TIMES = ("created_at", "updated_at", "publish_at", "published_at")
_PER_ROW = ("params", "task_id")


def insert(job: Job, *, goes_out: bool) -> None:
    """Insert the row of `job`; `goes_out` says that its message is published with the commit.

    Raises:
        IntegrityError: another job has one of its keys.
    """
    fields = _fields()
    marks = ", ".join(["%s"] * len(fields))
    sql = f"""INSERT INTO job_job ({_names((*fields, *_TIMES))}) VALUES ({marks}, {_times(goes_out)})
        RETURNING id, created_at"""
    values = (*_values(job, fields), *(() if goes_out else (job.publish_at,)))
    _inserted(job, execute(sql, values)[0], goes_out=goes_out)


def insert_many(template: Job, params: Sequence[str]) -> list[Job]:
    """Insert a row like `template` for each item of `params`, JSON texts, and return them in order.

    Their messages are published with the commit.
    """
    fields = tuple(name for name in _fields() if name not in _PER_ROW)
    marks = ", ".join(["%s"] * len(fields))
    sql = f"""INSERT INTO job_job ({_names((*fields, *_TIMES, *_PER_ROW))})
        SELECT {marks}, {_times(True)}, params, task_id FROM {_rows_of_json()} AS rows
        RETURNING task_id, id, created_at"""
    jobs = [_like(template, text) for text in params]
    rows = json.dumps([[job.params, job.task_id] for job in jobs])
    found = {row[0]: row[1:] for row in execute(sql, (*_values(template, fields), rows))}
    for job in jobs:
        _inserted(job, found[job.task_id], goes_out=True)
    return jobs


@cache
def _fields() -> dict[str, Any]:
    """Return the columns whose value the host chooses: ``{attribute: Django field}``."""
    return {f.attname: f for f in Job._meta.concrete_fields if f.attname not in ("id", *_TIMES)}


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

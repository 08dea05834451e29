"""Jobs as the API shows them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.exceptions import PermissionDenied
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.reverse import reverse

from pagoda.domain.user.models import User
from pagoda.domain.user.permissions import Viewer
from pagoda.jobs.access import may_control, may_read_output, may_read_target
from pagoda.jobs.models import Job
from pagoda.jobs.sayings import told_of_job
from pagoda.jobs.transitions import TRANSITIONS, Event
from pagoda_api.fields import MAX_ID, NamedSerializer
from pagoda_api.strict import StrictSerializer
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.washing import washed, washed_json

SHOWN_MAX_BYTES = 20_000_000


class ProgressSerializer(serializers.Serializer[Any]):
    """How far a job is; Any, as it is shown and never made."""

    percent = serializers.FloatField()
    text = serializers.CharField()


class JobFileSerializer(serializers.Serializer[Any]):
    """The file that a job carries; Any, as above."""

    name = serializers.CharField()
    content_type = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
    url = serializers.CharField()


class JobSerializer(serializers.Serializer[Any]):
    """A job; Any, as above."""

    id = serializers.IntegerField()
    user = serializers.CharField(allow_null=True, help_text="Name of who asked for it; null: the host.")
    plugin = serializers.CharField(help_text="Id; empty for the host's own.")
    operation = serializers.IntegerField()
    operation_name = serializers.CharField()
    queue = serializers.CharField()
    status = serializers.IntegerField()
    status_name = serializers.CharField(help_text=", ".join(status.name for status in JobStatus))
    phase = serializers.CharField(help_text="Where it stands in more detail, such as queued or running.")
    text = serializers.CharField(
        help_text="Empty, as `error` and `progress.text`, where `can_read_output` is false."
    )
    error = serializers.CharField(help_text="The cause of a failure.")
    hold_reason = serializers.CharField(help_text="Why workers leave it queued.")
    progress = ProgressSerializer()
    target_type = serializers.IntegerField(help_text="0 none, 1 entry, 2 entity.")
    target = NamedSerializer(allow_null=True, help_text="Null, too, for who may not read it.")
    depend_on = serializers.IntegerField(allow_null=True, help_text="The job that must finish first.")
    attempt = serializers.IntegerField(
        help_text="Tries so far, at most `max_attempts`; what was given back is none."
    )
    max_attempts = serializers.IntegerField()
    runs = serializers.IntegerField(help_text="How often a worker took it, as the log's lines count.")
    file = JobFileSerializer(allow_null=True, help_text="Null where `can_read_output` is false.")
    created_at = serializers.CharField()
    updated_at = serializers.CharField()
    run_at = serializers.DateTimeField(allow_null=True, help_text="Not before.")
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    can_cancel = serializers.BooleanField()
    can_retry = serializers.BooleanField()
    can_read_output = serializers.BooleanField(
        help_text="Who asked for the job may read what it gave, and who may read its target if it is shared."
    )
    request_id = serializers.CharField(help_text="Of the request that made it, as in the logs.")
    task_id = serializers.CharField(help_text="Of its current message, as in Flower.")
    flower_url = serializers.CharField(allow_null=True)


class JobDetailSerializer(JobSerializer):
    """A job with what it was given and what it gave."""

    params = serializers.JSONField(allow_null=True, help_text="Null for others than who asked for the job.")
    result = serializers.JSONField(allow_null=True, help_text="Null where `can_read_output` is false.")


class JobLogLineSerializer(serializers.Serializer[Any]):
    """A line of a job's log; Any, as above."""

    id = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    attempt = serializers.IntegerField()
    level = serializers.CharField()
    message = serializers.CharField()
    extra = serializers.JSONField()


class JobLogSerializer(serializers.Serializer[Any]):
    """Lines of a job's log; Any, as above."""

    results = JobLogLineSerializer(many=True)
    next_after = serializers.IntegerField(help_text="Send it as `after` to get what follows.")
    is_finished = serializers.BooleanField(help_text="Whether the job had ended before the lines were read.")


class NewJobSerializer(StrictSerializer):
    """A task to be run."""

    plugin = serializers.CharField(max_length=100, help_text="Its id or alias.")
    operation = serializers.CharField(
        max_length=100, help_text="Of a task whose `can_run` is true in `/api/v2/plugins/<id>/`."
    )
    params = serializers.DictField(
        default=dict,
        help_text="By the task's `params_schema`; its defaults take the place of what is left out.",
    )
    entry = serializers.IntegerField(
        default=None, allow_null=True, min_value=1, max_value=MAX_ID, help_text="To work on."
    )
    entity = serializers.IntegerField(
        default=None, allow_null=True, min_value=1, max_value=MAX_ID, help_text="To work on."
    )


class CanarySerializer(StrictSerializer):
    """Which queue is to be tried."""

    queue = serializers.CharField(max_length=120, help_text="`core`, or `plugin.<plugin id>`.")


def show_jobs(jobs: Iterable[Job], user: Viewer) -> list[dict[str, Any]]:
    """Return jobs as lists show them to `user`; one serializer serves all, as making one takes longest."""
    return list(JobSerializer([_plain(job, user) for job in jobs], many=True).data)


def show_job_in_detail(job: Job, user: Viewer) -> dict[str, Any]:
    """Return all of a job that `user` may see."""
    plain = _plain(job, user)
    params = _params(job.params) if may_control(user, job) else None
    result = washed_json(job.result, max_bytes=SHOWN_MAX_BYTES) if plain["can_read_output"] else None
    return dict(JobDetailSerializer(plain | {"params": params, "result": result}).data)


def _params(text: str) -> Any:
    """Return params as JSON. Any: JSON. Rows of earlier releases may hold what is none."""
    try:
        return washed_json(json.loads(text), max_bytes=SHOWN_MAX_BYTES)
    except (ValueError, RecursionError):
        return washed(text)


def _plain(job: Job, user: Viewer) -> dict[str, Any]:
    status, shown = JobStatus(job.status), job.to_json()
    if not may_read_target(job):
        shown["target"] = None
    if not (reads_output := may_read_output(user, job)):
        shown |= {"text": "", "error": "", "progress": {"percent": job.progress_percent, "text": ""}}
    shown |= {key: told_of_job(shown[key]) for key in ("text", "error")}
    return shown | {
        "queue": job.queue,
        "status_name": status.name,
        "hold_reason": told_of_job(job.why_it_waits),
        "depend_on": job.depend_on_id,
        "attempt": job.tries,
        "runs": job.attempt,
        "max_attempts": job.max_attempts,
        "file": _file(job) if reads_output else None,
        "run_at": job.run_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "can_retry": status in TRANSITIONS[Event.RETRY],
        "can_read_output": reads_output,
        "request_id": job.request_id,
        "task_id": job.task_id,
        "flower_url": _flower_url(job),
    }


def _file(job: Job) -> dict[str, Any] | None:
    if not job.file_name:
        return None
    url = reverse("job-file", kwargs={"pk": job.pk})
    return {"name": job.file_name, "content_type": job.file_type, "size": job.file_size, "url": url}


def _flower_url(job: Job) -> str | None:
    flower: str | None = settings.PAGODA.flower_url
    if not flower or not job.task_id:
        return None
    return f"{flower.rstrip('/')}/task/{quote(job.task_id)}"


def job_user(request: Request) -> User:
    """Return whose rights a job has that a request asks for.

    Raises:
        PermissionDenied: nobody is logged in.
    """
    if not isinstance(request.user, User):
        raise PermissionDenied(say("Log in first: the job has the rights of its user."))
    return request.user

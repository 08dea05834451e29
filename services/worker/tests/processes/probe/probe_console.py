"""Submits and watches jobs for a test: a request and its answer are a line of JSON each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import django

from pagoda.config.loading import load_settings
from pagoda.config.logging import configure_logging

configure_logging(load_settings(), service="console")  # to stderr; the answers have stdout for themselves
django.setup()

from pagoda.domain.user.models import User  # noqa: E402 - the models exist only now
from pagoda.jobs import store  # noqa: E402 - the models exist only now
from pagoda.jobs.models import Job  # noqa: E402
from pagoda_plugin_sdk.operations import JobStatus  # noqa: E402


def submit(operation: str, params: dict[str, Any], plugin: str = "", username: str = "") -> dict[str, Any]:
    user = User.objects.get(username=username) if username else None
    return show(Job.objects.submit(plugin=plugin, operation_name=operation, user=user, params=params).pk)


def show(job_id: int) -> dict[str, Any]:
    job = Job.objects.get(pk=job_id)
    return {
        "id": job.pk,
        "text": job.text,
        "status": JobStatus(job.status).name,
        "phase": job.phase.value,
        "error": job.error,
        "result": job.result,
        "attempt": job.attempt,
        "progress": job.progress_text,
        "logs": [str(line) for line in job.logs.all()],
        "hold_reason": job.hold_reason,
    }


def latest(plugin: str) -> dict[str, Any]:
    return show(Job.objects.filter(plugin=plugin).latest("pk").pk)


def cancel(job_id: int) -> dict[str, Any]:
    store.cancel(Job.objects.get(pk=job_id))
    return show(job_id)


COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {
    "submit": submit,
    "show": show,
    "latest": latest,
    "cancel": cancel,
}

for line in sys.stdin:
    command, *arguments = json.loads(line)
    sys.stdout.write(json.dumps(COMMANDS[command](*arguments)) + "\n")
    sys.stdout.flush()

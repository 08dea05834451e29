"""One Celery task per operation. All do the same: hand the job to the runner of this process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from celery import Celery

from pagoda.jobs import runtime
from pagoda.jobs.operations import OperationSpec


def register_tasks(app: Celery, specs: Iterable[OperationSpec]) -> None:
    """Give each operation its task, called ``plugin.operation`` so that Flower tells them apart."""
    for spec in specs:
        app.task(name=spec.task_name, bind=True, ignore_result=True)(_run)


def _run(self: Any, /, *, job_id: int, **_seen: Any) -> None:
    """Run a job; the message's further arguments, plugin and user, are there to be seen."""
    runtime.runner().run(job_id, str(self.request.id))

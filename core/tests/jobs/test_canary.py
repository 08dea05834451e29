from __future__ import annotations

from typing import Any

import pytest

from pagoda.jobs.core_tasks import submit_canary
from pagoda.jobs.job_errors import UnknownQueue
from pagoda.jobs.testing import RecordingPublisher
from pagoda_plugin_sdk.operations import JobStatus

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("queue", ["core", "plugin.shop"])
def test_canary_goes_to_the_queue_and_ends_done(
    publisher: RecordingPublisher, shop: None, queue: str, django_capture_on_commit_callbacks: Any
) -> None:
    from pagoda.jobs import engine, operations, store

    with django_capture_on_commit_callbacks(execute=True):
        job = submit_canary(queue, None)
    attempt = store.claim(job.pk, "node/1", 30)
    assert attempt is not None
    engine.run_attempt(attempt, operations.resolve(job.operation), report=lambda _: None)

    job.refresh_from_db()
    assert (job.queue, job.status, job.result) == (queue, JobStatus.DONE, {"attempt": 1})


def test_unknown_queue_is_named_with_what_there_is(shop: None) -> None:
    with pytest.raises(
        UnknownQueue, match=r"There is no queue 'cor'. Did you mean 'core'\? There are: core, plugin.shop"
    ):
        submit_canary("cor", None)

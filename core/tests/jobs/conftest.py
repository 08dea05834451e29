"""Models are imported inside of fixtures: pytest reads this file before Django has its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pagoda.jobs.testing import RecordingPublisher, plugin_tasks, recording_publisher
from pagoda_plugin_sdk.tasks import plugin_task

if TYPE_CHECKING:
    from pagoda.jobs.models import Job
    from pagoda.jobs.store import Attempt, JobRequest

LEASE = 30.0


@pytest.fixture
def publisher() -> Iterator[RecordingPublisher]:
    with recording_publisher() as publisher:
        yield publisher


@plugin_task(0)
def restock(job: Any) -> None: ...


@plugin_task(1, max_attempts=3, retry_backoff_seconds=10)
def stubborn(job: Any) -> None: ...


@plugin_task(2, singleton=True)
def only_one(job: Any) -> None: ...


@plugin_task(3)
def side_by_side(job: Any) -> None: ...


@pytest.fixture
def shop() -> Iterator[None]:
    """The plugin `shop`; `restock` is what these tests run unless they say otherwise."""
    with plugin_tasks(
        "shop",
        [restock, stubborn, only_one, side_by_side],
        cancelable_operations=["restock", "stubborn"],
        parallelizable_operations=["side_by_side"],
        hidden_operations=["only_one"],
    ):
        yield


class Jobs:
    """Makes and moves jobs of the plugin `shop`."""

    def request(self, name: str = "restock", **fields: Any) -> JobRequest:
        from pagoda.jobs import operations, store

        return store.JobRequest(operation=operations.resolve_name("shop", name), **fields)

    def created(self, name: str = "restock", **fields: Any) -> Job:
        from pagoda.jobs import store

        return store.create(self.request(name, **fields))

    def queued(self, name: str = "restock", **fields: Any) -> Job:
        from pagoda.jobs import store

        return store.submit(self.request(name, **fields))

    def claimed(self, job: Job, owner: str = "node/1") -> Attempt:
        from pagoda.jobs import store

        attempt = store.claim(job.pk, owner, LEASE)
        assert attempt is not None
        return attempt

    def running(self, name: str = "restock", **fields: Any) -> tuple[Job, Attempt]:
        job = self.queued(name, **fields)
        return job, self.claimed(job)

    def past(self, job: Job, field: str, seconds: float = 1.0) -> None:
        """Move a time of the job into the past."""
        from pagoda.jobs.clock import after
        from pagoda.jobs.models import Job

        Job.objects.filter(pk=job.pk).update(**{field: after(-seconds)})

    def due(self, job: Job) -> None:
        """Have the dispatcher find the job due."""
        self.past(job, "publish_at")
        self.past(job, "created_at", 60)


@pytest.fixture
def jobs(db: None, shop: None, publisher: RecordingPublisher) -> Jobs:
    return Jobs()


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Any) -> Callable[[], Any]:
    """Return a block that ends as a commit does: what waits for one runs."""
    return lambda: django_capture_on_commit_callbacks(execute=True)

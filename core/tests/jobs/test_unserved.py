"""Jobs whose operation this host does not have: of a disabled plugin, a vanished task, another's number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pagoda.health.plugins import plugin_health
from pagoda.jobs import plugin_host, store
from pagoda.jobs.job_errors import JobNotCancelable, UnknownOperation
from pagoda.jobs.models import Job
from pagoda.jobs.testing import RecordingPublisher, plugin_tasks, recording_publisher
from pagoda.jobs.transitions import Phase
from pagoda.watching.queues import queues
from pagoda.watching.thresholds import queue_exceeded
from pagoda_plugin_sdk.tasks import plugin_task


@plugin_task(0)
def work(job: Any) -> None: ...


@plugin_task(0)
def other(job: Any) -> None: ...


@pytest.fixture
def publisher() -> Iterator[RecordingPublisher]:
    with recording_publisher() as publisher:
        yield publisher


@pytest.fixture
def job(db: None, publisher: RecordingPublisher) -> Job:
    """Return a queued job of the plugin `gone`, whose task users may not cancel while it is there."""
    with plugin_tasks("gone", [work]):
        job = Job.objects.submit(plugin="gone", operation_name="work", user=None)
        assert job.why_it_waits == ""
        with pytest.raises(JobNotCancelable):
            store.cancel(job)
    return Job.objects.get(pk=job.pk)


def test_a_disabled_plugins_job_says_why_it_waits_and_can_be_cancelled(job: Job) -> None:
    assert job.why_it_waits == "plugin 'gone' is not enabled; bring it back, or cancel the job"
    assert job.to_json()["can_cancel"]
    assert store.cancel(job) is Phase.FINISHED
    assert job.why_it_waits == ""


def test_a_skipped_plugins_job_says_where_to_look(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    class Host:
        active = ()

        def known_names(self) -> set[str]:
            return {"gone"}

    monkeypatch.setattr(plugin_host, "plugin_host", Host)
    assert job.why_it_waits.startswith("plugin 'gone' is not active, `pagoda plugins list` says why")
    assert store.cancel(job) is Phase.FINISHED


def test_a_vanished_operation_is_named(job: Job) -> None:
    with plugin_tasks("gone", [other], first=5100):
        assert job.why_it_waits.startswith("plugin 'gone' has no operation 'work', number 5000; ")
        assert store.cancel(job) is Phase.FINISHED


@pytest.mark.parametrize(("plugin", "task"), [("gone", other), ("heir", work), ("heir", other)])
def test_a_number_that_is_anothers_now_decides_nothing(job: Job, plugin: str, task: Any) -> None:
    """Whether the other's jobs can be cancelled is not what is asked."""
    with plugin_tasks(plugin, [task]):
        assert job.why_it_waits.startswith(f"operation 5000 is '{plugin}.{task.__name__}' now, not 'work'; ")
        assert store.cancel(job) is Phase.FINISHED


def test_a_hosts_operation_that_is_gone_is_named(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(plugin="", operation=77, operation_name="sweep")
    job.refresh_from_db()
    assert job.why_it_waits.startswith("the host has no operation 'sweep', number 77; ")
    assert store.cancel(job) is Phase.FINISHED


def test_it_is_not_claimed_by_who_can_not_run_it(job: Job) -> None:
    with pytest.raises(UnknownOperation):
        job.run(will_delay=False)
    job.refresh_from_db()
    assert (job.phase, job.attempt) == (Phase.QUEUED, 0)


def test_health_and_alert_tell_of_its_queue_and_what_can_be_done(job: Job, settings: Any) -> None:
    [found] = [health for health in plugin_health() if health.id == "gone"]
    assert found.surfaces["load"].text == "not enabled, with unfinished jobs: enable it, or cancel them"
    assert found.surfaces["task"].facts["queue_depth"] == 1

    [exceeded] = queue_exceeded(queues()["plugin.gone"], settings.PAGODA)
    assert exceeded.alert == "no_consumer"
    assert "`pagoda jobs list --plugin gone`" in exceeded.remedy
    assert "pagoda-worker" not in exceeded.remedy

    store.cancel(job)
    assert "gone" not in [health.id for health in plugin_health()]


def test_an_active_plugins_queue_wants_a_worker(
    db: None, publisher: RecordingPublisher, settings: Any
) -> None:
    with plugin_tasks("gone", [work]):
        Job.objects.submit(plugin="gone", operation_name="work", user=None)
        [exceeded] = queue_exceeded(queues()["plugin.gone"], settings.PAGODA)
    assert exceeded.remedy == "0 worker(s) live; start more: `pagoda-worker run --plugin gone`."

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pagoda.jobs import operations
from pagoda.jobs.models import Job, ScheduleTick
from pagoda.jobs.testing import plugin_tasks, recording_publisher
from pagoda_plugin_sdk.tasks import plugin_task
from pagoda_worker.schedules import Schedules

NOON = datetime(2030, 5, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@plugin_task(0, schedule="*/15 * * * *")
def quarterly(job: Any) -> None: ...


@plugin_task(1, schedule="0 * * * *", singleton=True)
def hourly(job: Any) -> None: ...


@plugin_task(2)
def by_hand(job: Any) -> None: ...


@pytest.fixture
def shop(db: None) -> Iterator[None]:
    with recording_publisher(), plugin_tasks("shop", [quarterly, hourly, by_hand]):
        yield


def schedules() -> Schedules:
    return Schedules.of(spec for spec in operations.all_specs() if spec.plugin_id == "shop")


def started(due: Schedules, now: datetime) -> list[str]:
    return [job.operation_name for job in due.start_due(now)]


def test_schedules_are_those_that_tasks_declare(shop: None) -> None:
    assert [entry.name for entry in schedules().entries] == ["shop.quarterly", "shop.hourly"]


def test_the_hosts_retention_is_a_schedule(db: None) -> None:
    assert "core.purge_jobs" in [entry.name for entry in Schedules.of(operations.all_specs()).entries]


def test_nothing_starts_before_the_first_tick_that_is_seen(shop: None) -> None:
    assert started(schedules(), NOON) == []


def test_each_tick_starts_one_job(shop: None) -> None:
    due = schedules()
    started(due, NOON - MINUTE)

    assert started(due, NOON) == ["quarterly", "hourly"]
    assert started(due, NOON + timedelta(seconds=30)) == []
    assert started(due, NOON + MINUTE) == []
    assert started(due, NOON + 15 * MINUTE) == ["quarterly"]
    assert [job.text for job in Job.objects.order_by("id")] == [
        "scheduled for 2030-05-01 12:00 UTC",
        "scheduled for 2030-05-01 12:00 UTC",
        "scheduled for 2030-05-01 12:15 UTC",
    ]


def test_two_dispatchers_start_one_job_per_tick(shop: None) -> None:
    one, other = schedules(), schedules()
    for due in (one, other):
        started(due, NOON - MINUTE)

    first, second = started(one, NOON), started(other, NOON)

    assert (first, second) == (["quarterly", "hourly"], [])
    assert ScheduleTick.objects.count() == 2


def test_ticks_that_passed_while_no_dispatcher_ran_are_one_run(shop: None) -> None:
    before = schedules()
    started(before, NOON - MINUTE)
    started(before, NOON)

    assert started(schedules(), NOON + 50 * MINUTE) == ["quarterly"]
    assert ScheduleTick.objects.filter(tick=NOON + 45 * MINUTE).count() == 1


def test_ticks_of_long_ago_are_not_made_up_for(shop: None) -> None:
    before = schedules()
    started(before, NOON - MINUTE)
    started(before, NOON)

    assert started(schedules(), NOON + timedelta(days=2, minutes=14)) == ["quarterly", "hourly"]
    assert ScheduleTick.objects.count() == 4


def test_a_singleton_that_still_runs_is_not_started_again(shop: None) -> None:
    due = schedules()
    started(due, NOON - MINUTE)
    due.start_due(NOON)
    due.start_due(NOON + timedelta(hours=1))

    assert Job.objects.filter(operation_name="hourly").count() == 1
    assert ScheduleTick.objects.filter(schedule="shop.hourly").count() == 2

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pagoda_inventory.last_scan import KEEP_SECONDS, LastScans, age_seconds, last_scans
from pagoda_plugin_sdk import Job, JobStatus
from pagoda_plugin_sdk.testing import MemoryHost

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def scanned(hostname: str, moment: datetime, status: JobStatus = JobStatus.DONE) -> None:
    job: Any = Job.objects.submit(plugin="inventory", operation_name="scan", user=None)
    job.update(status)
    job.result = {"host": hostname, "scanned_at": moment.isoformat()}


def test_newest_finished_scan_of_each_host_counts(host: MemoryHost) -> None:
    scanned("web-1", NOON)
    scanned("web-2", NOON + timedelta(minutes=1))
    scanned("web-1", NOON + timedelta(minutes=2), JobStatus.WARNING)

    before = host.reads
    assert last_scans() == {"web-1": NOON + timedelta(minutes=2), "web-2": NOON + timedelta(minutes=1)}
    assert host.reads == before + 1


@pytest.mark.parametrize("status", [status for status in JobStatus if status.name not in ("DONE", "WARNING")])
def test_scan_that_did_not_finish_does_not_count(status: JobStatus, host: MemoryHost) -> None:
    scanned("web-1", NOON, status)

    assert last_scans() == {}


@pytest.mark.parametrize("result", [None, [], {}, {"host": 3}, "done"], ids=repr)
def test_result_of_another_shape_does_not_count(result: Any, host: MemoryHost) -> None:
    scanned("web-1", NOON)
    host.jobs[0].result = result

    assert last_scans() == {}


def test_age_is_in_seconds_and_never_negative() -> None:
    now = datetime.now(UTC)

    assert 3600 <= age_seconds(now - timedelta(hours=1)) < 3660
    assert age_seconds(now + timedelta(hours=1)) == 0


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Reader:
    """Answers with `scans` and counts how often it is asked."""

    def __init__(self) -> None:
        self.scans: dict[str, datetime] = {"web-1": NOON}
        self.asked = 0

    def __call__(self) -> Mapping[str, datetime]:
        self.asked += 1
        return dict(self.scans)


def test_answer_serves_a_page_of_hosts_and_is_renewed_later() -> None:
    read, clock = Reader(), Clock()
    kept = LastScans(read, clock)

    assert [kept.of(f"web-{number}") for number in range(1, 4)] == [NOON, None, None]
    assert read.asked == 1

    read.scans["web-2"] = NOON
    clock.seconds += KEEP_SECONDS
    assert (kept.of("web-2"), read.asked) == (None, 1)

    clock.seconds += 0.1
    assert (kept.of("web-2"), read.asked) == (NOON, 2)

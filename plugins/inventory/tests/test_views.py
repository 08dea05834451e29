from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from pagoda_inventory.tasks import take_stock
from pagoda_plugin_sdk import JobStatus
from pagoda_plugin_sdk.testing import FakeJob, MemoryHost

API = "/api/v2/plugins/inventory"


@pytest.fixture
def client(api_client: Any) -> APIClient:
    return api_client("ann")  # type: ignore[no-any-return]


def test_endpoints_need_a_login(host: MemoryHost, api_client: Any) -> None:
    anonymous = api_client(None)

    assert [anonymous.post(f"{API}/scan/").status_code, anonymous.get(f"{API}/summary/").status_code] == [
        401
    ] * 2
    assert host.jobs == []


def test_scan_is_queued_for_the_user(client: APIClient, user: Any, host: MemoryHost) -> None:
    response = client.post(f"{API}/scan/")

    (job,) = host.jobs
    assert response.status_code == 202
    assert response.json() == {"job": job.id, "operation": "scan", "queue": "plugin.inventory"}
    assert (job.user, job.operation, job.status) == (user, 5000, JobStatus.PROCESSING)


def test_scan_is_not_started_by_looking(client: APIClient, host: MemoryHost) -> None:
    assert client.get(f"{API}/scan/").status_code == 405
    assert host.jobs == []


def test_summary_of_nothing_is_empty(client: APIClient, host: MemoryHost) -> None:
    assert client.get(f"{API}/summary/").json() == {"entries": 0, "entities": [], "last_scans": []}


def test_summary_counts_by_entity(client: APIClient, host: MemoryHost, make: Any) -> None:
    take_stock(FakeJob(), make.machine(make.package("app"), make.package("lib")))

    summary = client.get(f"{API}/summary/").json()

    assert summary["entries"] == 6
    assert summary["entities"] == [
        {"entity": "Host", "entries": 1},
        {"entity": "NetworkInterface", "entries": 2},
        {"entity": "Filesystem", "entries": 1},
        {"entity": "PythonPackage", "entries": 2},
    ]


def test_summary_leaves_out_what_the_user_may_not_read(
    client: APIClient, host: MemoryHost, make: Any
) -> None:
    take_stock(FakeJob(), make.machine())
    host.entity("NetworkInterface").level = 1

    summary = client.get(f"{API}/summary/").json()

    assert "NetworkInterface" not in [each["entity"] for each in summary["entities"]]
    assert summary["entries"] == 2


def test_summary_lists_the_last_scans_newest_first(client: APIClient, host: MemoryHost) -> None:
    now = datetime.now(UTC)
    for hostname, age in (("web-1", 60), ("web-2", 30)):
        client.post(f"{API}/scan/")
        host.jobs[-1].update(JobStatus.DONE)
        host.jobs[-1].result = {"host": hostname, "scanned_at": (now - timedelta(seconds=age)).isoformat()}

    newest, oldest = client.get(f"{API}/summary/").json()["last_scans"]

    assert (newest["host"], oldest["host"]) == ("web-2", "web-1")
    assert oldest["age_seconds"] == pytest.approx(60, abs=30)
    assert datetime.fromisoformat(oldest["scanned_at"]) == now - timedelta(seconds=60)

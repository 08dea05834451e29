from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from services.worker.tests.processes.conftest import Console, Deployment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are watched through /proc")

READY = ("dispatcher", "core", "inventory")


@pytest.fixture
def fleet_of_long_leases(deployment: Deployment, request: pytest.FixtureRequest) -> subprocess.Popen[bytes]:
    deployment.environ["JOB_LEASE_SECONDS"] = "3600"
    process: subprocess.Popen[bytes] = request.getfixturevalue("fleet")
    return process


@pytest.fixture
def fleet(deployment: Deployment) -> Iterator[subprocess.Popen[bytes]]:
    """Run `pagoda-worker up` with one plugin."""
    deployment.environ |= {
        "ENABLED_PLUGINS": "inventory",
        "PLUGIN_OPERATION_ID_CONFIG": '{"inventory": [300, 399]}',
        "PLUGIN_WORKER_CONFIG": '{"inventory": {"concurrency": 2, "memory_mb": 300}}',
    }
    process = deployment.start("fleet", "pagoda_worker.cli", "up")
    deployment.wait_for_table("fleet", dict.fromkeys(READY, "ready"))
    yield process
    process.kill()
    process.wait()


def test_table_shows_a_worker_per_queue(fleet: subprocess.Popen[bytes], deployment: Deployment) -> None:
    rows = deployment.table("fleet")
    shown = {name: (row["QUEUE"], row["CONCURRENCY"], row["MEMORY"]) for name, row in rows.items()}
    assert shown == {
        "dispatcher": ("-", "-", "-"),
        "core": ("core", "1", "512 MB"),
        "inventory": ("plugin.inventory", "2", "300 MB"),
    }


def test_fleet_runs_jobs_and_leaves_nothing_behind(
    fleet: subprocess.Popen[bytes], deployment: Deployment, console: Console
) -> None:
    assert console.run("whoami")["status"] == "DONE"
    assert len(deployment.processes()) == 7  # supervisor, dispatcher, two workers and their three children
    fleet.send_signal(signal.SIGTERM)
    assert fleet.wait(timeout=40) == 0
    assert deployment.processes() == []
    assert not (deployment.folder / "run" / str(fleet.pid)).exists()
    assert {row["STATE"] for row in deployment.table("fleet").values()} == {"stopped"}


def test_worker_that_dies_is_started_again_and_its_job_done(
    fleet: subprocess.Popen[bytes], deployment: Deployment, console: Console
) -> None:
    job = console.submit("nap", seconds=2)
    [child] = console.running(job)
    died = int(deployment.table("fleet")["core"]["PID"])
    deployment.kill(died)
    deployment.wait_until_gone(child)
    ended = console.ended(job)
    assert (ended["status"], ended["attempt"]) == ("DONE", 2)
    assert int(deployment.table("fleet")["core"]["PID"]) != died


def test_the_next_worker_takes_over_before_the_lease_ends(
    fleet_of_long_leases: subprocess.Popen[bytes], deployment: Deployment, console: Console
) -> None:
    job, other = console.submit("nap", seconds=2), console.submit("nap", seconds=2)
    console.running(job)
    deployment.kill(int(deployment.table("fleet")["core"]["PID"]))
    for ended, attempt in ((console.ended(job), 2), (console.ended(other), 1)):
        assert (ended["status"], ended["attempt"]) == ("DONE", attempt)
    assert "job_worker_gone" in deployment.log("fleet")


def test_killed_supervisor_takes_its_fleet_along(
    fleet: subprocess.Popen[bytes], deployment: Deployment
) -> None:
    fleet.kill()
    fleet.wait()
    deployment.wait_until_gone(*deployment.processes())
    assert deployment.processes() == []


def test_second_signal_ends_a_drain_at_once(
    fleet: subprocess.Popen[bytes], deployment: Deployment, console: Console
) -> None:
    console.running(console.submit("nap", seconds=600))
    fleet.send_signal(signal.SIGINT)
    deployment.wait_for_table("fleet", {"core": "draining", "dispatcher": "stopped"})
    fleet.send_signal(signal.SIGINT)
    assert fleet.wait(timeout=10) == 0
    deployment.wait_until_gone(*deployment.processes())
    assert deployment.processes() == []

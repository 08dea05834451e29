from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from services.worker.tests.processes.conftest import Console, Deployment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are watched through /proc")


@pytest.fixture
def worker(deployment: Deployment) -> Iterator[subprocess.Popen[bytes]]:
    """Run a core worker with one child, and a dispatcher."""
    dispatcher = deployment.start("dispatcher", "pagoda_worker.cli", "dispatch")
    process = deployment.start("worker", "pagoda_worker.cli", "run", "--core", "--concurrency", "1")
    deployment.wait_for_log("worker", " ready.")
    yield process
    for each in (process, dispatcher):
        each.kill()
        each.wait()


def test_job_runs_to_its_end_on_one_connection_per_child(
    worker: subprocess.Popen[bytes], console: Console
) -> None:
    results = [console.run("whoami", turn=turn)["result"] for turn in range(3)]
    assert [result["params"] for result in results] == [{"turn": 0}, {"turn": 1}, {"turn": 2}]
    assert {result["parent"] for result in results} == {worker.pid}
    assert {(result["pid"], result["opened"]) for result in results} == {(results[0]["pid"], 1)}


def test_child_that_ends_itself_costs_tries_and_no_other_job(
    worker: subprocess.Popen[bytes], console: Console
) -> None:
    vanishing, other = console.submit("vanish"), console.submit("whoami")
    ended = console.ended(vanishing)
    assert (ended["status"], ended["attempt"]) == ("ERROR", 2)
    assert ended["error"].startswith("worker lost 2 times (poison): Worker exited prematurely: exitcode 3")
    assert console.ended(other)["status"] == "DONE"


def test_killed_child_is_replaced_and_its_job_tried_again(
    worker: subprocess.Popen[bytes], console: Console
) -> None:
    ended = console.run("die_once")
    assert (ended["status"], ended["result"], ended["attempt"]) == ("DONE", 2, 2)


def test_child_of_a_forking_task_ends_neither_the_job_nor_takes_another(
    worker: subprocess.Popen[bytes], console: Console, deployment: Deployment
) -> None:
    """The job goes on in its parent and ends once; the worker has as many consumers as before."""
    ways = {"exit": 0, "os._exit": 3, "raise": 1, "finish": 1, "log": 0, "return": 0}
    ended = {way: console.run("fork", child=way) for way in ways}
    assert {way: job["status"] for way, job in ended.items()} == dict.fromkeys(ways, "DONE")
    assert {way: job["result"]["code"] for way, job in ended.items()} == ways
    assert {job["attempt"] for job in ended.values()} == {1}
    runners = {job["result"]["pid"] for job in ended.values()}
    assert {console.run("whoami", turn=turn)["result"]["pid"] for turn in range(3)} == runners
    assert len(runners) == 1


def test_tasks_may_use_processes_of_the_standard_library(
    worker: subprocess.Popen[bytes], console: Console
) -> None:
    ended = {method: console.run("spread", method=method) for method in ("fork", "spawn", "subprocess")}
    assert {method: (job["error"], job["result"]) for method, job in ended.items()} == {
        "fork": ("", [1, 4, 9]),
        "spawn": ("", [1, 4, 9]),
        "subprocess": ("", [9]),
    }


def test_job_whose_words_no_column_holds_ends_at_once_by_its_own_cause(
    worker: subprocess.Popen[bytes], console: Console
) -> None:
    ends = {how: console.run("foreign", how=how) for how in ("surrogate", "NUL", "interrupt", "result", "")}
    assert {how: (job["status"], job["attempt"]) for how, job in ends.items()} == {
        "surrogate": ("ERROR", 1),
        "NUL": ("ERROR", 1),
        "interrupt": ("ERROR", 1),
        "result": ("ERROR", 1),
        "": ("DONE", 1),
    }
    assert ends["surrogate"]["error"] == "ValueError: \\ud800"
    assert ends["NUL"]["error"] == "ValueError: a\\x00b"
    assert ends["interrupt"]["error"] == "KeyboardInterrupt: mine"
    assert "result['value'] contains half of a surrogate pair" in ends["result"]["error"]
    assert ends[""]["progress"] == "half\\x00"


def test_deaf_job_is_killed_with_its_own_processes_when_cancelled(
    worker: subprocess.Popen[bytes], console: Console, deployment: Deployment
) -> None:
    job = console.submit("hang")
    pids = console.running(job)
    console.ask("cancel", job)
    assert console.ended(job)["status"] == "CANCELED"
    deployment.wait_until_gone(*pids)
    assert console.run("whoami")["status"] == "DONE"


def test_deaf_job_is_killed_at_its_hard_limit(
    worker: subprocess.Popen[bytes], console: Console, deployment: Deployment
) -> None:
    job = console.submit("overrun")
    pids = console.running(job)
    ended = console.ended(job)
    assert (ended["status"], ended["error"]) == ("TIMEOUT", "ran past its hard limit of 2 s")
    deployment.wait_until_gone(*pids)


def test_job_that_eats_memory_ends_in_an_error_and_harms_no_other(
    worker: subprocess.Popen[bytes], console: Console
) -> None:
    ended = console.run("eat", megabytes=4000)
    assert (ended["status"], ended["error"]) == ("ERROR", "MemoryError")
    assert console.run("whoami")["status"] == "DONE"


def test_child_above_its_memory_is_replaced_after_its_job(
    worker: subprocess.Popen[bytes], console: Console, deployment: Deployment
) -> None:
    before = console.run("whoami")["result"]["pid"]
    assert console.run("eat", megabytes=120)["status"] == "DONE"
    deployment.wait_until_gone(before)
    assert console.run("whoami")["result"]["pid"] != before


def test_stopping_worker_lets_its_job_finish(
    worker: subprocess.Popen[bytes], console: Console, deployment: Deployment
) -> None:
    job = console.submit("nap", seconds=2)
    [child] = console.running(job)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=30) == 0
    ended = console.ended(job)
    assert (ended["status"], ended["attempt"]) == ("DONE", 1)
    deployment.wait_until_gone(child)


def test_children_die_with_a_worker_that_is_killed(
    worker: subprocess.Popen[bytes], console: Console, deployment: Deployment
) -> None:
    [child] = console.running(console.submit("nap", seconds=600))
    worker.kill()
    assert worker.wait() == -signal.SIGKILL
    deployment.wait_until_gone(child)


def test_a_worker_that_starts_leaves_the_jobs_of_a_living_neighbour_alone(
    worker: subprocess.Popen[bytes], console: Console, deployment: Deployment
) -> None:
    job = console.submit("nap", seconds=5)
    console.running(job)
    worker.send_signal(signal.SIGSTOP)  # it says nothing, and lives
    other = deployment.start("other", "pagoda_worker.cli", "run", "--core", "--concurrency", "1")
    deployment.wait_for_log("other", " ready.")
    worker.send_signal(signal.SIGCONT)
    assert "job_worker_gone" not in deployment.log("other")
    assert console.ended(job)["status"] == "DONE"
    other.kill()
    other.wait()


def test_stopped_worker_that_lost_its_job_does_not_end_it_twice(
    worker: subprocess.Popen[bytes], console: Console, deployment: Deployment
) -> None:
    job = console.submit("nap", seconds=5)
    [child] = console.running(job)
    for pid in (worker.pid, child):
        os.kill(pid, signal.SIGSTOP)
    other = deployment.start("other", "pagoda_worker.cli", "run", "--core", "--concurrency", "1")
    deployment.wait_for_log("dispatcher", "job_lease_expired")
    for pid in (worker.pid, child):
        os.kill(pid, signal.SIGCONT)
    ended = console.ended(job)
    assert (ended["status"], ended["attempt"]) == ("DONE", 2)
    other.kill()
    other.wait()


def test_file_of_life_is_touched_while_the_worker_runs(deployment: Deployment) -> None:
    alive = deployment.folder / "alive"
    command = ("pagoda_worker.cli", "run", "--core", "--alive-file", str(alive))
    process = deployment.start("worker", *command)
    deployment.wait_for_log("worker", " ready.")
    deployment.wait_for_file(alive)
    assert deployment.run("pagoda_worker.cli", "alive", str(alive)).returncode == 0
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--plugin", "inventry"), "No enabled plugin is called 'inventry'. Did you mean 'inventory'?"),
        (("--plugin", "broken"), "Plugin 'broken' is skipped (not_found), so its jobs can't be served: "),
    ],
    ids=["unknown", "skipped"],
)
def test_plugin_that_cannot_be_served_is_refused(
    deployment: Deployment, arguments: tuple[str, ...], message: str
) -> None:
    outcome = deployment.run(
        "pagoda_worker.cli",
        "run",
        *arguments,
        ENABLED_PLUGINS="inventory,broken",
        PLUGIN_OPERATION_ID_CONFIG='{"inventory": [300, 399]}',
    )
    assert outcome.returncode == 2
    assert f"pagoda-worker: {message}" in outcome.stderr


def test_wrong_operation_ids_stop_the_start(deployment: Deployment) -> None:
    outcome = deployment.run(
        "pagoda_worker.cli",
        "run",
        "--core",
        ENABLED_PLUGINS="inventory",
        PLUGIN_OPERATION_ID_CONFIG='{"inventory": [50, 60]}',
    )
    assert outcome.returncode == 2
    assert "PLUGIN_OPERATION_ID_CONFIG" in outcome.stderr


def test_idle_child_that_is_killed_is_replaced(worker: subprocess.Popen[bytes], console: Console) -> None:
    idle = console.run("whoami")["result"]["pid"]
    os.kill(idle, signal.SIGKILL)
    assert console.run("whoami")["result"]["pid"] != idle

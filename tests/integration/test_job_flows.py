"""Jobs on real servers: what a user sees through the API, and what the database and the workers know."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.integration.stage.promises import Promises
from tests.integration.stage.stack import FLOWER_LOGIN, FLOWER_PORT, Stack
from tests.integration.stage.waiting import wait_until

RUN = ["objects.get", "is_canceled False", "proceed_if_ready True"]
PUBLISHED = "SELECT published_at IS NOT NULL FROM job_job WHERE id = %s"
SCHEDULE_SECONDS = 90.0


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("params", "last_steps", "status", "text"),
    [({}, ["business logic"], "DONE", "walked"), ({"fails": True}, [], "ERROR", "the walk ends here")],
    ids=["success", "failure"],
)
def test_the_diagram_of_the_job_flow_step_by_step(
    shared: Stack, promise: Promises, params: dict[str, bool], last_steps: list[str], status: str, text: str
) -> None:
    client = shared.client
    with shared.containers["worker-trial"].paused():
        made = client.post("plugins/trial/prepare/walk/", **params)
        prepared, published = client.job(made["job"]), shared.rows(PUBLISHED, made["job"])
        client.post(f"plugins/trial/start/{made['job']}/")
        queued, sent = client.job(made["job"]), shared.rows(PUBLISHED, made["job"])
    done = client.finished(made["job"])

    assert made["operation"] == prepared["operation"] == 414
    assert (prepared["status_name"], prepared["phase"], published) == ("PREPARING", "preparing", [(False,)])
    assert (queued["status_name"], queued["phase"], queued["queue"]) == (
        "PROCESSING",
        "queued",
        "plugin.trial",
    )
    assert sent == [(True,)]
    assert shared.trial.walk(made["job"]) == RUN + last_steps
    assert (done["status_name"], done["text"], done["attempt"]) == (status, text, 1)
    promise(
        f"job flow of the diagram, {status}, {shared.broker}", f"{len(RUN + last_steps) + 5} steps in order"
    )


@pytest.mark.smoke
def test_a_job_succeeds(shared: Stack) -> None:
    job = shared.client.finished(shared.client.submit("succeed", {"a": 1}))
    log = shared.client.get(f"jobs/{job['id']}/log/")

    assert job["status_name"] == "DONE"
    assert job["result"] == {"host": shared.host_of("worker-trial"), "params": {"a": 1}}
    assert [(line["message"], line["attempt"]) for line in log["results"]] == [("succeeding", 1)]
    assert shared.trial.of("succeed", job["id"]) == [(shared.host_of("worker-trial"), 1)]


@pytest.mark.smoke
def test_a_failure_is_told_and_may_be_retried(shared: Stack) -> None:
    job = shared.client.finished(shared.client.submit("fail", {"why": "on purpose"}))
    assert (job["status_name"], job["error"]) == ("ERROR", "ValueError: the trial's task failed: on purpose")
    assert (job["can_retry"], len(shared.trial.of("fail", job["id"]))) == (True, 1)

    shared.client.post(f"jobs/{job['id']}/retry/")
    again = shared.client.until(job["id"], lambda seen: len(shared.trial.of("fail", seen["id"])) == 2)
    assert shared.client.finished(again["id"])["status_name"] == "ERROR"


@pytest.mark.smoke
def test_a_queued_job_that_is_cancelled_never_starts(shared: Stack, promise: Promises) -> None:
    with shared.containers["worker-trial"].paused():
        job = shared.client.submit("nap")
        assert shared.client.job(job)["phase"] == "queued"
        shared.client.post(f"jobs/{job}/cancel/")
        assert shared.client.job(job)["status_name"] == "CANCELED"
    after = shared.client.finished(shared.client.submit("succeed"))

    assert after["status_name"] == "DONE"
    assert shared.trial.of("nap", job) == []
    promise(f"cancelled while queued, {shared.broker}", "0 starts")


@pytest.mark.smoke
def test_a_running_job_stops_when_it_is_cancelled(shared: Stack) -> None:
    job = shared.client.submit("nap", {"seconds": 300})
    shared.client.until(job, lambda seen: seen["phase"] == "running")
    shared.client.post(f"jobs/{job}/cancel/")

    assert shared.client.finished(job)["status_name"] == "CANCELED"
    assert len(shared.trial.of("nap", job)) == 1


def test_a_running_job_that_does_not_listen_is_killed(shared: Stack, promise: Promises) -> None:
    job = shared.client.submit("hang")
    shared.client.until(job, lambda _: shared.trial.of("hang", job))
    shared.client.post(f"jobs/{job}/cancel/")

    assert shared.client.finished(job)["status_name"] == "CANCELED"
    assert shared.client.finished(shared.client.submit("succeed"))["status_name"] == "DONE"
    assert len(shared.trial.of("hang", job)) == 1
    promise(f"cancelled while running and deaf, {shared.broker}", "killed, next job runs")


@pytest.mark.smoke
def test_a_failing_job_is_tried_again(shared: Stack, promise: Promises) -> None:
    job = shared.client.finished(shared.client.submit("flaky", {"succeeds_at": 3}))

    assert (job["status_name"], job["result"], job["attempt"]) == ("DONE", 3, 3)
    assert [attempt for _, attempt in shared.trial.of("flaky", job["id"])] == [1, 2, 3]
    promise(f"retry, {shared.broker}", "3 tries, the third counts")


def test_tries_come_to_an_end(shared: Stack) -> None:
    job = shared.client.finished(shared.client.submit("flaky", {"succeeds_at": 9}))

    assert (job["status_name"], job["error"]) == ("ERROR", "ConnectionError: try 3 is not the one")
    assert [attempt for _, attempt in shared.trial.of("flaky", job["id"])] == [1, 2, 3]


@pytest.mark.parametrize("operation", ["overrun", "overstay"])
def test_a_job_ends_at_its_time_limit(shared: Stack, promise: Promises, operation: str) -> None:
    job = shared.client.finished(shared.client.submit(operation))

    assert job["status_name"] == "TIMEOUT"
    assert shared.client.finished(shared.client.submit("succeed"))["status_name"] == "DONE"
    promise(f"{operation}: time limit, {shared.broker}", f"TIMEOUT: {job['error']}")


def test_a_job_waits_for_the_one_it_depends_on(shared: Stack, promise: Promises) -> None:
    first = shared.client.submit("nap", {"seconds": 2})
    second = shared.client.submit("succeed", depend_on=first)
    waiting = shared.client.job(second)
    after = shared.client.finished(second)

    assert (waiting["phase"], waiting["depend_on"]) == ("waiting", first)
    assert after["started_at"] >= shared.client.job(first)["finished_at"]
    assert len(shared.trial.of("succeed", second)) == 1
    promise(f"dependency, {shared.broker}", "starts after the other's end")


def test_a_job_does_not_start_before_its_time(shared: Stack) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=4)
    job = shared.client.submit("succeed", run_at=moment.isoformat())
    early = shared.client.job(job)
    after = shared.client.finished(job)

    assert early["phase"] == "scheduled"
    assert datetime.fromisoformat(after["started_at"]) >= moment


@pytest.mark.smoke
def test_progress_is_seen_while_the_job_runs(shared: Stack) -> None:
    job = shared.client.submit("progress", {"seconds": 3})
    seen = shared.client.until(job, lambda seen: seen["progress"]["percent"] == 40)

    assert (seen["phase"], seen["progress"]["text"]) == ("running", "two of five")
    assert shared.client.finished(job)["result"] == "five of five"


@pytest.mark.smoke
def test_a_file_is_downloaded_as_it_was_written(shared: Stack) -> None:
    job = shared.client.finished(shared.client.submit("write_file", {"text": "größe;1\n"}))
    answer = shared.client.send("GET", f"jobs/{job['id']}/file/")

    assert job["file"] | {"url": ""} == {
        "name": "trial.csv",
        "content_type": "text/csv",
        "size": 10,
        "url": "",
    }
    assert answer.content == "größe;1\n".encode()
    assert answer.headers["Content-Disposition"] == 'attachment; filename="trial.csv"'


@pytest.mark.smoke
def test_a_plugin_s_jobs_run_on_its_worker_alone(shared: Stack, promise: Promises) -> None:
    trial = shared.client.submit_many("succeed", 30)
    with shared.containers["worker-neighbour"].paused():
        neighbours = [shared.client.post("plugins/neighbour/run/")["job"] for _ in range(10)]
        hosts = Counter(shared.client.finished(job)["result"]["host"] for job in trial)
        waiting = Counter(shared.client.job(job)["phase"] for job in neighbours)
    theirs = Counter(shared.client.finished(job)["result"]["host"] for job in neighbours)

    assert hosts == {shared.host_of("worker-trial"): 30}
    assert waiting == {"queued": 10}
    assert theirs == {shared.host_of("worker-neighbour"): 10}
    promise(f"a plugin's jobs on its worker alone, {shared.broker}", "40 of 40")


@pytest.mark.smoke
def test_flower_shows_the_job(shared: Stack, promise: Promises) -> None:
    job = shared.client.finished(shared.client.submit("succeed"))
    flower = f"http://{shared.containers['flower'].address(FLOWER_PORT)}"

    def shown() -> httpx.Response | None:
        answer = httpx.get(f"{flower}/api/task/info/{job['task_id']}", auth=FLOWER_LOGIN, timeout=30)
        return answer if answer.is_success and answer.json()["state"] == "SUCCESS" else None

    task = wait_until(shown, 60, lambda: f"Flower does not show task {job['task_id']}").json()  # type: ignore[union-attr]
    assert task["name"] == "trial.succeed"
    assert f"'job_id': {job['id']}" in task["kwargs"]
    assert shared.host_of("worker-trial") in task["worker"]
    assert httpx.get(f"{flower}/api/tasks", timeout=30).status_code == 401
    promise(f"Flower's API shows a job, {shared.broker}", "name, job, worker, SUCCESS")


def test_a_schedule_runs_once_a_minute(shared: Stack, promise: Promises) -> None:
    query = (
        "SELECT date_trunc('minute', created_at) FROM job_job WHERE operation_name = 'tick' AND status = 2"
    )

    wait_until(lambda: shared.rows(query), SCHEDULE_SECONDS, lambda: "no job of the schedule is DONE")
    minutes = Counter(shared.rows(query))
    assert set(minutes.values()) == {1}
    figure = f"{minutes.total()} job(s) in {len(minutes)} minute(s)"
    promise(f"schedule of every minute, {shared.broker}", figure)

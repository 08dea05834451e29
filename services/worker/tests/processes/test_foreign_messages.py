"""Messages that are none of a job of the queue: a real worker refuses each and goes on."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
from celery import Celery

from tools.servers import RedisServer

if TYPE_CHECKING:
    from services.worker.tests.processes.conftest import Console, Deployment

QUEUE = "core"
TASK = "core.whoami"


@dataclass
class Broker:
    """Puts bytes into the queue, whatever they are."""

    put: Callable[[bytes], object]
    size: Callable[[], int]


@pytest.fixture(params=["files", "redis"])
def broker(request: pytest.FixtureRequest, deployment: Deployment) -> Iterator[Broker]:
    if request.param == "files":
        folder = deployment.folder / "broker" / "queues" / QUEUE

        def put(content: bytes) -> None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ".draft").write_bytes(content)
            (folder / ".draft").rename(folder / f"{time.time_ns():020}_forged.msg")

        yield Broker(put, lambda: len(list(folder.glob("*.msg"))))
        return
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with tempfile.TemporaryDirectory(prefix="pagoda-messages-") as name:
        server = RedisServer(Path(name))
        server.start()
        deployment.environ["BROKER_URL"] = server.url
        client = redis.Redis.from_url(server.url)
        yield Broker(lambda content: client.lpush(QUEUE, content), lambda: client.llen(QUEUE))
        server.stop()


@pytest.fixture
def worker(broker: Broker, deployment: Deployment) -> Iterator[Any]:
    process = deployment.start("worker", "pagoda_worker.cli", "run", "--core", "--concurrency", "1")
    deployment.wait_for_log("worker", " ready.")
    yield process
    process.kill()
    process.wait()


def raw(body: Any, /, *, as_it_is: Any = False, **changes: Any) -> bytes:
    """Return a message as kombu keeps it in Redis or a file."""
    text = body if as_it_is else json.dumps(body).encode()
    message = {
        "body": base64.b64encode(text).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": TASK, "id": "forged", "origin": "x"},
        "properties": {
            "delivery_tag": "t",
            "delivery_info": {"exchange": "", "routing_key": QUEUE},
            "body_encoding": "base64",
            "priority": 0,
        },
    } | changes
    return json.dumps(message).encode()


def headers(**changes: Any) -> dict[str, Any]:
    return {"lang": "py", "task": TASK, "id": "forged", "origin": "x"} | changes


JOB = [[], {"job_id": 4711, "plugin": "", "user": None}, {}]
BOMB = gzip.compress(b"0" * (600 * 1024 * 1024))

REFUSED: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"hello",
    "bytes": b"\xff\xfe\x00",
    "a number": b"7",
    "a list": b"[]",
    "deep": b"[" * 100_000,
    "no properties": b'{"body": "e30="}',
    "no body": json.dumps({"properties": {"delivery_tag": "t", "delivery_info": {}}}).encode(),
    "no headers": raw(JOB, headers=None),
    "headers that are a list": raw(JOB, headers=[1]),
    "properties of no kind": raw(JOB, properties=[1]),
    "an unknown task": raw(JOB, headers=headers(task="core.nothing")),
    "a task of Celery's": raw(JOB, headers=headers(task="celery.map")),
    "a task's name that is a list": raw(JOB, headers=headers(task=["x"])),
    "no task": raw(JOB, headers={"id": "x"}),
    "no id": raw(JOB, headers=headers(id=None)),
    "a pickle": raw(b"\x80\x04}.", as_it_is=True, **{"content-type": "application/x-python-serialize"}),
    "text": raw(b"hello", as_it_is=True, **{"content-type": "text/plain"}),
    "YAML": raw(JOB, **{"content-type": "application/x-yaml"}),
    "another encoding": raw(JOB, **{"content-encoding": "utf-16"}),
    "a body that is no JSON": raw(b"{", as_it_is=True),
    "a body that is a dict": raw({"task": TASK, "args": [], "kwargs": {"job_id": 1}, "id": "x"}),
    "a body that is a number": raw(3),
    "a body that is no base64": raw(JOB, body="***"),
    "arguments": raw([[1], {"job_id": 1}, {}]),
    "no arguments": raw([[], {}, {}]),
    "unknown arguments": raw([[], {"job_id": 1, "more": 1}, {}]),
    "an id that is text": raw([[], {"job_id": "x"}, {}]),
    "an id that is a truth": raw([[], {"job_id": True}, {}]),
    "an id beyond the column": raw([[], {"job_id": 2**70}, {}]),
    "compressed": raw(BOMB, as_it_is=True, headers=headers(compression="application/x-gzip")),
    "large": raw([[], {"job_id": 1, "plugin": "x" * 2_000_000}, {}]),
}


def peak_memory_mb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def test_each_is_refused_once_and_a_job_runs(
    broker: Broker, worker: Any, console: Console, deployment: Deployment
) -> None:
    before = peak_memory_mb(worker.pid)
    for content in REFUSED.values():
        broker.put(content)
    deployment.wait_until(lambda: broker.size() == 0, "the end of the messages")
    assert console.run("whoami")["status"] == "DONE"
    assert worker.poll() is None
    assert peak_memory_mb(worker.pid) - before < 60
    lines = [line for line in deployment.log("worker").splitlines() if "message_refused" in line]
    assert len(lines) == len(REFUSED)
    assert all(len(line) < 1000 for line in lines)
    assert "Traceback" not in deployment.log("worker")


def test_what_celery_would_follow_is_left_out(
    broker: Broker, worker: Any, console: Console, deployment: Deployment
) -> None:
    job = console.submit("nap", seconds=0)
    console.ended(job)
    bait: dict[str, Any] = {
        "task": TASK,
        "args": [],
        "kwargs": {"job_id": 1},
        "options": {},
        "subtask_type": None,
    }
    embedded = {"callbacks": [bait], "errbacks": [bait], "chain": [bait], "chord": bait}
    forged = headers(
        task="core.nap",
        eta="2999-01-01T00:00:00",
        expires="x",
        timelimit=[0.001, 0.001],
        retries=10**9,
        shadow="y",
    )
    for _ in range(3):
        broker.put(raw([[], {"job_id": job}, embedded], headers=forged))
    deployment.wait_until(lambda: broker.size() == 0, "the end of the messages")
    assert console.run("whoami")["status"] == "DONE"
    assert worker.poll() is None
    assert console.ask("show", job)["attempt"] == 1


def test_nobody_controls_a_worker(
    broker: Broker, worker: Any, console: Console, deployment: Deployment
) -> None:
    with control(deployment) as app:
        assert not app.control.inspect(timeout=1).ping()
        app.control.shutdown()
        app.control.cancel_consumer(QUEUE)
        app.control.rate_limit(TASK, "1/h")
    assert console.run("whoami")["status"] == "DONE"
    assert worker.poll() is None


def control(deployment: Deployment) -> Any:
    url = deployment.environ.get("BROKER_URL", "filesystem://")
    folders = {
        "data_folder_in": str(deployment.folder / "broker" / "queues"),
        "data_folder_out": str(deployment.folder / "broker" / "queues"),
        "control_folder": str(deployment.folder / "broker" / "control"),
    }
    options = folders if url == "filesystem://" else {}
    transport = "pagoda.jobs.filebroker:FileTransport" if options else None
    return Celery(
        broker=url, set_as_current=False, broker_transport_options=options, broker_transport=transport
    )

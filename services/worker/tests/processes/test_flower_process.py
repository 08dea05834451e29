from __future__ import annotations

import base64
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from services.worker.tests.processes.conftest import Deployment

LOGIN = "eva:secret"


@dataclass(frozen=True)
class Flower:
    url: str

    def ask(self, path: str, *, login: str | None = LOGIN, data: bytes | None = None) -> tuple[int, str]:
        request = urllib.request.Request(self.url + path, data=data)
        if login is not None:
            request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except urllib.error.URLError as error:
            return 0, str(error.reason)


@pytest.fixture(scope="module")
def flower(shared_deployment: Deployment) -> Iterator[Flower]:
    """Run Flower beside a core worker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared_deployment.environ["FLOWER_BASIC_AUTH"] = LOGIN
    worker = shared_deployment.start("worker", "pagoda_worker.cli", "run", "--core")
    process = shared_deployment.start("flower", "pagoda_worker.cli", "flower", "--bind", f"127.0.0.1:{port}")
    served = Flower(f"http://127.0.0.1:{port}")
    shared_deployment.wait_for_log("worker", " ready.")
    shared_deployment.wait_until(lambda: served.ask("/healthcheck")[0] == 200, "Flower")
    yield served
    process.terminate()
    assert process.wait(timeout=20) == 0
    worker.kill()
    worker.wait()


@pytest.mark.parametrize("path", ["/workers", "/tasks", "/api/workers", "/api/tasks"])
@pytest.mark.parametrize("login", [None, "eva:wrong"], ids=["nobody", "wrong password"])
def test_login_is_required(flower: Flower, path: str, login: str | None) -> None:
    assert flower.ask(path, login=login)[0] == 401


def test_probes_and_metrics_need_no_login(flower: Flower) -> None:
    assert flower.ask("/healthcheck", login=None) == (200, "OK")
    assert "flower_events_total" in flower.ask("/metrics", login=None)[1]


def test_worker_is_seen_by_its_events(flower: Flower, shared_deployment: Deployment) -> None:
    shared_deployment.wait_until(lambda: "core@" in flower.ask("/workers")[1], "the worker in Flower")
    assert flower.ask("/workers")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/api/worker/shutdown/core@x",
        "/api/worker/pool/grow/core@x",
        "/api/worker/queue/add-consumer/core@x?queue=core",
        "/api/task/send-task/core.purge_jobs",
        "/api/task/async-apply/core.purge_jobs",
        "/api/task/revoke/some-id",
    ],
)
def test_nothing_can_be_changed(flower: Flower, path: str) -> None:
    assert flower.ask(path, data=b"{}")[0] == 403

"""What the Helm chart renders starts the real images: chart and software can't drift apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from testcontainers.core.network import Network

from tests.integration.stage.containers import PagodaContainer
from tests.integration.stage.engine import API_IMAGE, WORKER_IMAGE
from tests.integration.stage.promises import Promises
from tests.integration.stage.servers import Postgres, Redis
from tests.integration.stage.waiting import wait_until
from tools.chart import environment_of, render
from tools.chart.workloads import names_of

pytestmark = pytest.mark.smoke

IMAGES = {"pagoda-api:chart": API_IMAGE, "pagoda-worker:chart": WORKER_IMAGE}
START_SECONDS = 120.0
QUEUES = ("core", "plugin.hello-world-plugin", "plugin.inventory")


class Release:
    """The containers of a rendered release, each with exactly what the chart gives it."""

    def __init__(self, documents: list[dict[str, Any]], network: Network, started: ExitStack) -> None:
        self.documents = documents
        self._network, self._started = network, started

    def start(self, kind: str, name: str, container: str | None = None, **changes: Any) -> PagodaContainer:
        """Start one container of a workload, reached in the network by the workload's name."""
        process = environment_of(self.documents, kind, name, container=container)
        started = PagodaContainer(
            name,
            IMAGES[process.image],
            changes.get("args", process.args),
            environment=process.env,
            network=self._network,
        )
        self._started.callback(started.remove)
        return started.start()

    def run(self, kind: str, name: str, container: str | None = None, **changes: Any) -> str:
        """Run one container to its end, and return what it has written."""
        started = self.start(kind, name, container, **changes)
        code, log = started.exit_code(START_SECONDS), started.log()
        assert code == 0, f"{name}/{container} ended with {code}:\n{log}"
        return log


@pytest.fixture
def release(network: Network, postgres: Postgres, redis: Redis) -> Iterator[Release]:
    with postgres.connection("postgres") as connection:
        connection.execute("CREATE DATABASE chart")
    servers = {"database": {"url": postgres.url("chart")}, "broker": {"url": redis.place()}}
    documents = render(
        {
            **servers,
            "image": {"tag": "chart"},
            "postgresql": {"enabled": False},
            "redis": {"enabled": False},
            "cache": {"url": redis.place()},
            "api": {"service": {"port": 8000}},  # no Service stands between here
        }
    )
    with ExitStack() as started:
        yield Release(documents, network, started)


def test_rendered_release_runs_a_job_on_every_queue(release: Release, promise: Promises) -> None:
    (job,) = names_of(release.documents, "Job")
    for container in ("check", "wait", "migrate", "admin"):
        release.run("Job", job, container)
    for container in ("check", "wait"):
        release.run("Deployment", "pagoda-worker-inventory", container)

    deployments = list(names_of(release.documents, "Deployment"))
    running = {name: release.start("Deployment", name) for name in deployments}
    wait_until(
        lambda: is_ready(running["pagoda-api"]),
        START_SECONDS,
        lambda: f"the API is not ready:\n{running['pagoda-api'].log()}",
    )
    (script,) = [
        d for d in release.documents if d["metadata"]["name"] == "pagoda-test" and d["kind"] == "ConfigMap"
    ]
    told = release.run("Pod", "pagoda-test", args=("python", "-c", script["data"]["smoke_test.py"]))

    assert all(f"{queue}: job " in told for queue in QUEUES)
    assert all(container.is_running for container in running.values())
    promise("chart: rendered workloads run", f"{len(running)} Deployments, {len(QUEUES)} queues DONE")


def is_ready(api: PagodaContainer) -> bool:
    """Ask from inside, as a probe of the kubelet does, with the Host header that the chart gives it."""
    ask = (
        "import sys, urllib.request as r; r.urlopen(r.Request('http://127.0.0.1:8000/readyz?exclude=broker', "
    )
    ask += "headers={'Host': 'localhost'}))"
    done = api.exec(["python", "-c", ask])
    return bool(done.exit_code == 0)

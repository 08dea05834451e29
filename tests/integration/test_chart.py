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
from tools.chart.workloads import names_of, pod_spec

pytestmark = pytest.mark.smoke

IMAGES = {"pagoda-api:chart": API_IMAGE, "pagoda-worker:chart": WORKER_IMAGE}
START_SECONDS = 120.0
GET = """
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], headers=dict(part.split("=", 1) for part in sys.argv[2:]))
urllib.request.urlopen(request, timeout=3)
"""
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
    check, migrate = sorted(names_of(release.documents, "Job"))
    for container in ("check", "wait", "migrate", "admin"):
        release.run("Job", migrate, container)
    for container in ("worker-image", "check"):  # what an upgrade runs before it replaces anything
        release.run("Job", check, container)
    for container in ("check", "wait"):
        release.run("Deployment", "pagoda-worker-inventory", container)

    deployments = list(names_of(release.documents, "Deployment"))
    running = {name: release.start("Deployment", name) for name in deployments}
    for name, process in running.items():
        for which in ("startupProbe", "livenessProbe", "readinessProbe"):
            wait_for_probe(release, name, process, which)
    (script,) = [
        d for d in release.documents if d["metadata"]["name"] == "pagoda-test" and d["kind"] == "ConfigMap"
    ]
    told = release.run("Pod", "pagoda-test", args=("python", "-c", script["data"]["smoke_test.py"]))

    assert all(f"{queue}: job " in told for queue in QUEUES)
    assert all(container.is_running for container in running.values())
    promise("chart: rendered workloads run", f"{len(running)} Deployments, {len(QUEUES)} queues DONE")


def wait_for_probe(release: Release, deployment: str, container: PagodaContainer, which: str) -> None:
    """Run a probe inside the container, as the node does, until it passes."""
    rendered = next(
        pod_spec(d)["containers"][0]
        for d in release.documents
        if (d["kind"], d["metadata"]["name"]) == ("Deployment", deployment)
    )
    command = probe_command(rendered, rendered[which])

    def passes() -> bool:
        assert container.is_running, container.log()
        return int(container.exec(command).exit_code or 0) == 0

    wait_until(passes, START_SECONDS, lambda: f"{deployment}: {which}: {command}\n{container.log()[-3000:]}")


def probe_command(container: dict[str, Any], probe: dict[str, Any]) -> list[str]:
    """Return a command that does inside the container what the probe says."""
    if "exec" in probe:
        command: list[str] = probe["exec"]["command"]
        return command
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    port = probe["httpGet"]["port"]
    headers = [f"{header['name']}={header['value']}" for header in probe["httpGet"].get("httpHeaders", [])]
    url = f"http://127.0.0.1:{ports.get(port, port)}{probe['httpGet']['path']}"
    return ["python", "-c", GET, url, *headers]

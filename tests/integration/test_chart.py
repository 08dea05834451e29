"""What the Helm chart renders starts the real images, so that chart and software can't drift apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from testcontainers.core.network import Network

from tests.integration.stage.containers import PagodaContainer
from tests.integration.stage.engine import API_IMAGE, WORKER_IMAGE
from tests.integration.stage.promises import Promises
from tests.integration.stage.servers import Postgres, Redis
from tests.integration.stage.waiting import wait_until
from tools.chart import Process, environment_of, render
from tools.chart.workloads import pod_spec

pytestmark = pytest.mark.smoke

START_SECONDS = 90.0
WORKLOADS = ("api", "core-worker", "dispatcher", "flower", "worker-hello-world-plugin", "worker-inventory")
RELEASE = "pagoda"
GET = """
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], headers=dict(part.split("=", 1) for part in sys.argv[2:]))
urllib.request.urlopen(request, timeout=3)
"""


class Release:
    """A rendered release, run on Docker: the chart's commands and environment, the tests' servers."""

    def __init__(self, network: Network, postgres: Postgres, redis: Redis) -> None:
        self.documents: list[dict[str, Any]] = render()
        self.network = network
        with postgres.connection("postgres") as connection:
            connection.execute("CREATE DATABASE chart")
        self.servers = {
            "DATABASE_URL": postgres.url("chart"),
            "BROKER_URL": redis.place(),
            "CACHE_URL": redis.place(),
        }
        self.containers: dict[str, PagodaContainer] = {}

    def start(self, kind: str, name: str, part: str | None = None, **changes: str) -> PagodaContainer:
        """Start one container of a workload, the main one unless `part` names another."""
        process = environment_of(self.documents, kind, name, container=part)
        container = PagodaContainer(
            name,
            image_of(process),
            process.args,
            environment={**process.env, **self.servers, **changes},
            network=self.network,
        )
        self.containers[f"{name}/{part}"] = container
        return container.start()

    def run(self, kind: str, name: str, part: str | None = None, **changes: str) -> str:
        """Run one container of a workload to its end; return its log.

        Raises:
            AssertionError: it failed.
        """
        container = self.start(kind, name, part, **changes)
        code = container.exit_code()
        log = container.log()
        assert code == 0, f"{name}/{part} ended with {code}:\n{log}"
        return log

    def main(self, kind: str, name: str) -> dict[str, Any]:
        """Return the main container of a workload as rendered."""
        found = [d for d in self.documents if (d["kind"], d["metadata"]["name"]) == (kind, name)]
        container: dict[str, Any] = pod_spec(found[0])["containers"][0]
        return container

    def wait_for_probe(self, deployment: str, which: str) -> None:
        """Run a probe inside the container, as the node does, until it passes."""
        rendered, container = self.main("Deployment", deployment), self.containers[f"{deployment}/None"]
        command = probe_command(rendered, rendered[which])

        def passes() -> bool:
            assert container.is_running, container.log()
            return int(container.exec(command).exit_code or 0) == 0

        wait_until(
            passes, START_SECONDS, lambda: f"{deployment}: {which}: {command}\n{container.log()[-3000:]}"
        )

    def remove(self) -> None:
        for container in reversed(self.containers.values()):
            container.remove()


def image_of(process: Process) -> str:
    """Return the image under test that stands for the one that the chart names."""
    return API_IMAGE if "pagoda-api" in process.image else WORKER_IMAGE


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


@pytest.fixture(scope="module")
def release(network: Network, postgres: Postgres, redis: Redis) -> Iterator[Release]:
    made = Release(network, postgres, redis)
    try:
        yield made
    finally:
        made.remove()


def test_the_rendered_release_runs_the_images(release: Release, promise: Promises) -> None:
    """One test, as each part needs the one before: migrations, every workload with its probes, `helm test`."""
    (job,) = [d["metadata"]["name"] for d in release.documents if d["kind"] == "Job"]
    for part in ("check", "wait", "migrate", "admin"):
        release.run("Job", job, part)
    for part in ("check", "wait"):
        release.run("Deployment", f"{RELEASE}-api", part)
    for name in WORKLOADS:
        release.start("Deployment", f"{RELEASE}-{name}")
    for name in WORKLOADS:
        for which in ("startupProbe", "livenessProbe", "readinessProbe"):
            release.wait_for_probe(f"{RELEASE}-{name}", which)
    script = next(
        d["data"]["smoke_test.py"]
        for d in release.documents
        if (d["kind"], d["metadata"]["name"]) == ("ConfigMap", f"{RELEASE}-test")
    )
    process = environment_of(release.documents, "Pod", f"{RELEASE}-test")
    tester = PagodaContainer(
        "helm-test",
        API_IMAGE,
        ("python", "-c", script),
        environment={**process.env, "API_URL": f"http://{RELEASE}-api:8000"},
        network=release.network,
    )
    release.containers["helm-test"] = tester
    code = tester.start().exit_code()

    assert code == 0, tester.log()
    canaries = [line for line in tester.log().splitlines() if ": job " in line]
    assert len(canaries) == 3
    promise(
        "chart: rendered workloads run the images", f"{len(WORKLOADS)} ready, {len(canaries)} canaries DONE"
    )

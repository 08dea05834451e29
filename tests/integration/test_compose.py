"""docker/compose.yaml as a user starts it: healthy, reachable through nginx, and on either broker."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from dotenv import dotenv_values

from tests.integration.stage import engine
from tests.integration.stage.client import ADMIN, PASSWORD, Client
from tests.integration.stage.promises import Promises

DOCKER = Path(__file__).resolve().parents[2] / "docker"
PROJECT = f"pagoda-compose-{os.getpid()}"


class Compose:
    """One project, started from the files of the repository with secrets of its own."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._environment = {**os.environ, **settings}
        self._base = ["docker", "compose", "--project-name", PROJECT, "--file", str(folder / "compose.yaml")]

    def __call__(self, *arguments: str) -> str:
        """Run a command of docker compose; return what it prints.

        Raises:
            AssertionError: it failed; its output is shown.
        """
        done = subprocess.run(
            [*self._base, *arguments], env=self._environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"docker compose {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def address(self, service: str, port: int) -> str:
        """Return ``host:port`` where a service is published."""
        return self("port", service, str(port)).strip()


@pytest.fixture(scope="module")
def has_compose(docker_engine: None) -> None:
    done = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if done.returncode and os.environ.get("CI") != "true":
        pytest.skip("docker has no `compose` command; install docker compose v2")
    assert done.returncode == 0, "docker has no `compose` command"


@pytest.fixture(params=["redis", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def compose(request: pytest.FixtureRequest, has_compose: None, tmp_path: Path) -> Iterator[Compose]:
    """Start everything from a copy of the folder, at free ports."""
    folder = tmp_path / "docker"
    folder.mkdir()
    for name in ("compose.yaml", "nginx.conf", "make_env.py", "postgresql_owner.sh"):
        (folder / name).write_bytes((DOCKER / name).read_bytes())
    subprocess.run([sys.executable, str(folder / "make_env.py")], check=True, capture_output=True)
    settings = {
        "PAGODA_TAG": engine.API_IMAGE.rpartition(":")[2],
        "PAGODA_BIND": "127.0.0.1:",
        "FLOWER_PUBLISH": "127.0.0.1:",
    }
    if request.param == "rabbitmq":
        password = dotenv_values(folder / ".env")["RABBITMQ_PASSWORD"]
        settings["COMPOSE_PROFILES"] = "rabbitmq"
        settings["PAGODA_BROKER_URL"] = f"amqp://pagoda:{password}@rabbitmq:5672//"
    made = Compose(folder, settings)
    try:
        made("up", "--wait", "--wait-timeout", "180")
        yield made
    finally:
        made("down", "--volumes", "--timeout", "60")


def test_everything_is_healthy_and_a_job_runs(
    compose: Compose, promise: Promises, request: pytest.FixtureRequest
) -> None:
    admin = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    named = ["--username", ADMIN, "--email", "admin@example.org"]
    variables = [option for name, value in admin.items() for option in ("--env", f"{name}={value}")]
    compose("exec", "-T", *variables, "api", "pagoda", "manage", "createsuperuser", "--noinput", *named)
    client = Client(lambda: compose.address("nginx", 8080))
    try:
        client.log_in()
        body = client.post("plugins/hello-world-plugin/hello/", name="compose")
        job = client.finished(body["job"])
    finally:
        client.close()
    flower = httpx.get(f"http://{compose.address('nginx', 5555)}/", timeout=30)
    services = compose("ps", "--format", "{{.Service}} {{.Health}}").split("\n")

    assert job["status_name"] == "DONE"
    assert flower.status_code == httpx.codes.UNAUTHORIZED
    assert {line.partition(" ")[2] for line in services if line} == {"healthy"}
    promise(
        f"docker compose up --wait, {request.node.callspec.id}",
        f"{len(services) - 1} services healthy, a job DONE",
    )

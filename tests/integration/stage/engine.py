"""The Docker engine: whether there is one, and what this run has put on it."""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import socket
import warnings
from collections.abc import Iterator
from datetime import datetime

import docker
import psutil
from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.containers import Container
from testcontainers.core.config import ConnectionMode, testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

# What is started here is removed here, so that no container is needed that watches over the others.
testcontainers_config.ryuk_disabled = True
testcontainers_config.connection_mode_override = ConnectionMode.docker_host

LABEL = "org.pagoda.integration"
RUN = f"{socket.gethostname()}:{os.getpid()}"
LABELS = {LABEL: RUN}
"""On everything that this run makes."""

API_IMAGE = os.environ.get("PAGODA_API_IMAGE", "pagoda-api:integration")
WORKER_IMAGE = os.environ.get("PAGODA_WORKER_IMAGE", "pagoda-worker:integration")
BEFORE = os.environ.get("PAGODA_BEFORE", "")
"""The commit of the release before; `make test-integration` finds it in git's history."""
IMAGES_BEFORE = f"pagoda-api:before-{BEFORE}", f"pagoda-worker:before-{BEFORE}"
POSTGRES_IMAGE, REDIS_IMAGE, RABBITMQ_IMAGE = "postgres:17", "redis:8", "rabbitmq:4"

LOG_LINES = 60

_numbers = itertools.count(1)


def new_name(title: str) -> str:
    """Return a container's name that no other has."""
    return f"pagoda-test-{os.getpid()}-{next(_numbers)}-{title}"


def missing() -> str | None:
    """Return why no container can be started here, with the remedy; None when they can."""
    try:
        with _client() as client:
            client.ping()
            return _missing_image(client)
    except DockerException as error:
        return f"no Docker engine answers ({error}); start one, or set DOCKER_HOST"


def _missing_image(client: docker.DockerClient) -> str | None:
    for image in (API_IMAGE, WORKER_IMAGE):
        try:
            client.images.get(image)
        except ImageNotFound:
            return f"there is no image {image}; `make test-integration` builds it"
    return None


def publish(container: DockerContainer, port: int) -> None:
    """Have `port` reachable from the test, at any free port on loopback."""
    container.ports[str(port)] = ("127.0.0.1",)  # type: ignore[assignment]  # docker-py takes more than it says


def network(*, is_internal: bool = False) -> Network:
    """Return a network, to be used as a context manager, whose containers find each other by alias."""
    return Network(docker_network_kw={"labels": LABELS, "internal": is_internal})


def logs(since: datetime) -> list[tuple[str, str]]:
    """Return ``(container, the end of its log)`` for each container of this run that wrote something."""
    try:
        with _client() as client:
            containers = client.containers.list(all=True, filters={"label": f"{LABEL}={RUN}"})
            ends = [(f"{held.name} ({held.status})", tail(held, since)) for held in containers]
    except DockerException as error:
        return [("the Docker engine", f"it does not answer: {error}")]
    return [(name, text) for name, text in ends if text]


def tail(container: Container, since: datetime | None = None) -> str:
    """Return the end of a container's log."""
    with contextlib.suppress(APIError):  # removed meanwhile
        return container.logs(tail=LOG_LINES, since=since).decode(errors="replace")
    return ""


def sweep() -> None:
    """Remove what this run has left, and what runs have left that were killed; harmless without an engine."""
    with contextlib.suppress(DockerException), _client() as client:
        for container in client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True):
            if _is_over(container.labels[LABEL]):
                with contextlib.suppress(APIError):
                    container.remove(force=True, v=True)
        for network in client.networks.list(filters={"label": LABEL}):
            if _is_over(network.attrs["Labels"][LABEL]):
                with contextlib.suppress(APIError):
                    network.remove()


def _is_over(run: str) -> bool:
    host, _, pid = run.rpartition(":")
    return run == RUN or (host == socket.gethostname() and not psutil.pid_exists(int(pid)))


@contextlib.contextmanager
def _client() -> Iterator[docker.DockerClient]:
    client = _connected()
    if isinstance(client, str):
        _close_what_docker_left()
        raise DockerException(client)
    try:
        yield client
    finally:
        client.close()


def _connected() -> docker.DockerClient | str:
    """Return a client, or why there is none; the error holds what is open, so it ends here."""
    try:
        return docker.from_env()
    except DockerException as error:
        return str(error)


def _close_what_docker_left() -> None:
    """Where no engine answers, docker-py (7.1) drops its socket open, which is an error in these tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()

"""A whole Pagoda over one database and one place in a broker."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from testcontainers.core.network import Network

from tests.integration.stage import recorder
from tests.integration.stage.client import ADMIN, PASSWORD, Client
from tests.integration.stage.containers import PagodaContainer
from tests.integration.stage.engine import API_IMAGE, WORKER_IMAGE, tail
from tests.integration.stage.servers import Broker, Postgres
from tests.integration.stage.traces import TrialTraces
from tests.integration.stage.waiting import wait_until

API_PORT, FLOWER_PORT, RECORDER_PORT = 8000, 5555, 8080
READY_SECONDS = 90.0
FLOWER_LOGIN = ("pagoda", "a-password-of-the-tests")

SETTINGS: Mapping[str, str] = {
    "PAGODA_ENV": "production",
    "PAGODA_SECRET_KEY": "a-secret-of-the-integration-tests-that-is-long-enough",
    "PAGODA_ALLOWED_HOSTS": "localhost,127.0.0.1,api",
    "ENABLED_PLUGINS": "hello-world,inventory,trial,neighbour",
    "PLUGIN_OPERATION_ID_CONFIG": json.dumps(
        {"hello-world": [200, 299], "inventory": [300, 399], "trial": [400, 499], "neighbour": [500, 599]}
    ),
    "JOB_LEASE_SECONDS": "6",
    "JOB_CANCEL_GRACE_SECONDS": "2",
    "JOB_RETRY_BACKOFF_SECONDS": "1",
    "FLOWER_BASIC_AUTH": ":".join(FLOWER_LOGIN),
}
"""A production's, with job times in seconds where people have minutes."""


class Stack:
    """The containers of one Pagoda; leaving the block removes them all."""

    def __init__(
        self,
        network: Network,
        postgres: Postgres,
        database: str,
        broker: Broker,
        settings: Mapping[str, str] = {},
        images: tuple[str, str] = (API_IMAGE, WORKER_IMAGE),
    ) -> None:
        self.api_image, self.worker_image = images
        self.network, self.postgres, self.database = network, postgres, database
        self.broker = type(broker).__name__
        self.settings = {
            **SETTINGS,
            "DATABASE_URL": postgres.url(database),
            "BROKER_URL": broker.place(),
            **settings,
        }
        self.containers: dict[str, PagodaContainer] = {}
        self.client = Client(lambda: self.containers["api"].address(API_PORT))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        for container in reversed(self.containers.values()):
            container.remove()

    def start(
        self,
        name: str,
        image: str,
        command: Sequence[str] = (),
        *,
        ports: Sequence[int] = (),
        settings: Mapping[str, str] = {},
        **options: Any,
    ) -> PagodaContainer:
        """Start a container named `name` in the network; `options` are Docker's, such as ``mem_limit``."""
        container = PagodaContainer(
            name,
            image,
            command,
            environment={**self.settings, **settings},
            network=self.network,
            ports=ports,
            options=options,
        )
        self.containers[name] = container
        return container.start()

    def start_api(self, name: str = "api", **options: Any) -> PagodaContainer:
        """Start the API; it serves once `wait_ready` returns."""
        return self.start(name, self.api_image, ports=(API_PORT,), **options)

    def start_worker(self, target: str, name: str = "", **options: Any) -> PagodaContainer:
        """Start the worker of one plugin, or of the host's own jobs (``core``)."""
        which = ("--core",) if target == "core" else ("--plugin", target)
        return self.start(
            name or f"worker-{target}", self.worker_image, ("pagoda-worker", "run", *which), **options
        )

    def start_dispatcher(self, name: str = "dispatcher", **options: Any) -> PagodaContainer:
        """Start a dispatcher."""
        return self.start(name, self.worker_image, ("pagoda-worker", "dispatch"), **options)

    def start_fleet(self, name: str = "fleet", **options: Any) -> PagodaContainer:
        """Start what the worker's image runs by itself: a dispatcher and all workers."""
        return self.start(name, self.worker_image, **options)

    def start_flower(self) -> PagodaContainer:
        """Start Flower."""
        command = ("pagoda-worker", "flower", "--bind", f"0.0.0.0:{FLOWER_PORT}")
        return self.start("flower", WORKER_IMAGE, command, ports=(FLOWER_PORT,))

    def start_recorder(self) -> PagodaContainer:
        """Start what stands for Sentry; what is started from now on reports there."""
        command = ("python3", "-c", Path(recorder.__file__).read_text())
        self.settings["SENTRY_DSN"] = f"http://key@recorder:{RECORDER_PORT}/1"
        return self.start("recorder", API_IMAGE, command, ports=(RECORDER_PORT,))

    def run_to_end(self, *command: str, **settings: str) -> str:
        """Run a command of the API's image; return what it printed.

        Raises:
            AssertionError: it failed; its output is shown.
        """
        container = self.start("command", self.api_image, command, settings=settings)
        code = container.exit_code()
        printed = container.log()
        assert code == 0, f"{' '.join(command)} ended with {code}:\n{printed}"
        self.containers.pop("command").remove()
        return printed

    def migrate(self) -> None:
        """Bring the database up to date, and have an administrator in it."""
        self.run_to_end("pagoda", "migrate")
        self.run_to_end(
            "pagoda",
            "manage",
            "createsuperuser",
            "--noinput",
            DJANGO_SUPERUSER_USERNAME=ADMIN,
            DJANGO_SUPERUSER_EMAIL="admin@example.org",
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
        )

    def wait_ready(self) -> None:
        """Wait until the API answers that it is ready, and log in.

        Raises:
            AssertionError: it is not in time, or a container has ended; the log is shown.
        """
        api = self.containers["api"]
        wait_until(
            self._is_ready,
            READY_SECONDS,
            lambda: f"the API is not ready:\n{tail(api.get_wrapped_container())}",
        )
        self.client.log_in()

    def wait_answering(self, name: str) -> None:
        """Wait until another API than the first is ready, too."""
        api = self.containers[name]
        wait_until(
            lambda: _answers(api),
            READY_SECONDS,
            lambda: f"{name} is not ready:\n{tail(api.get_wrapped_container())}",
        )

    def _is_ready(self) -> bool:
        for name, container in self.containers.items():
            assert container.is_running, f"{name} ended with {container.exit_code()}:\n{container.log()}"
        try:
            return self.client.send("GET", "/readyz").is_success
        except httpx.TransportError:
            return False

    def events(self, **tags: str) -> list[dict[str, Any]]:
        """Return the events that were reported with these tags, of whoever started after the recorder."""
        held: list[dict[str, Any]] = httpx.get(
            f"http://{self.containers['recorder'].address(RECORDER_PORT)}", timeout=30
        ).json()
        return [event for event in held if tags.items() <= event.get("tags", {}).items()]

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return what a query of the test's own finds in the database."""
        return self.postgres.rows(self.database, query, parameters)

    @property
    def trial(self) -> TrialTraces:
        """Return what the trial plugin did here."""
        return TrialTraces(self.rows)

    def host_of(self, name: str) -> str:
        """Return a container's name for itself, as traces have it."""
        return self.containers[name].hostname


def _answers(api: PagodaContainer) -> bool:
    try:
        return httpx.get(f"http://{api.address(API_PORT)}/readyz", timeout=10).is_success
    except httpx.TransportError:
        return False

"""A container of one of Pagoda's images, confined as a deployment confines it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from docker.errors import APIError, NotFound
from testcontainers.core.container import DockerContainer, ExecConfig
from testcontainers.core.network import Network

from tests.integration.stage.engine import LABELS, new_name, publish, tail
from tests.integration.stage.waiting import wait_until

CONFINED: Mapping[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "tmpfs": {"/tmp": "size=64m", "/var/lib/pagoda": "size=64m,mode=0700,uid=10001,gid=10001"},
}
"""What Docker is told about each container of ours."""

EXIT_SECONDS = 90.0
PAUSE_SECONDS = 20.0


class PagodaContainer(DockerContainer):
    """One process of Pagoda; started with `start`, and gone after `remove`."""

    def __init__(
        self,
        name: str,
        image: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        network: Network | None = None,
        ports: Sequence[int] = (),
        options: Mapping[str, Any] = {},
    ) -> None:
        aliases = None if network is None else [name]
        super().__init__(image, name=new_name(name), network=network, network_aliases=aliases)
        self.title = name
        self.with_envs(**environment)
        if command:
            self.with_command(list(command))
        for port in ports:
            publish(self, port)
        self.tmpfs = dict(CONFINED["tmpfs"])
        kept = {key: value for key, value in CONFINED.items() if key != "tmpfs"}
        self.with_kwargs(labels=LABELS, **kept, **options)

    @property
    def hostname(self) -> str:
        """Return the container's name for itself."""
        return str(self.get_wrapped_container().attrs["Config"]["Hostname"])

    @property
    def is_running(self) -> bool:
        """Return whether its process runs."""
        container = self.get_wrapped_container()
        container.reload()
        return bool(container.status == "running")

    def address(self, port: int) -> str:
        """Return ``host:port`` where the test reaches it; it changes when the container is started again."""
        return f"{self.get_container_host_ip()}:{self.get_exposed_port(port)}"

    def log(self) -> str:
        """Return what it has written so far, standard output and errors in order."""
        return str(self.get_wrapped_container().logs().decode(errors="replace"))

    def run(self, *command: str, environment: Mapping[str, str] = {}) -> str:
        """Run a command inside it, and return its output.

        Raises:
            AssertionError: the command failed; its output is shown.
        """
        done = self.exec(ExecConfig(list(command), environment=dict(environment)))
        output = done.output.decode(errors="replace")
        assert done.exit_code == 0, f"{self.title}: {command} ended with {done.exit_code}:\n{output}"
        return output

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Freeze all its processes for the length of the block."""
        wait_until(self._pause, PAUSE_SECONDS, lambda: f"{self.title} can't be paused")
        try:
            yield
        finally:
            self.get_wrapped_container().unpause()

    def _pause(self) -> bool:
        """Return whether it could be frozen now: the kernel may fail to while processes come and go."""
        try:
            self.get_wrapped_container().pause()
        except APIError as error:
            if not error.is_server_error():
                raise
            return False
        return True

    def exit_code(self, limit_seconds: float = EXIT_SECONDS) -> int:
        """Wait until it has ended, and return with what.

        Raises:
            AssertionError: it still runs after the limit; the end of its log is shown.
        """
        container = self.get_wrapped_container()
        wait_until(
            lambda: not self.is_running,
            limit_seconds,
            lambda: f"{self.title} still runs:\n{tail(container)}",
        )
        return int(container.attrs["State"]["ExitCode"])

    def remove(self) -> None:
        """Kill it and remove it; harmless when it is gone."""
        with contextlib.suppress(NotFound):
            self.stop()

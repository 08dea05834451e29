"""Starts of Pagoda's processes that are to fail: with which exit code, and what they say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from testcontainers.core.network import Network

from tests.integration.stage.containers import PagodaContainer
from tests.integration.stage.engine import API_IMAGE, WORKER_IMAGE

Commands = Mapping[str, tuple[str, tuple[str, ...]]]
"""``{process: (image, command)}``; without a command it runs what the image runs."""

IMAGES: Commands = {"pagoda-api": (API_IMAGE, ()), "pagoda-worker": (WORKER_IMAGE, ())}

PROCESSES: Commands = {
    **IMAGES,
    "worker of a plugin": (WORKER_IMAGE, ("pagoda-worker", "run", "--plugin", "trial")),
    "worker of the host's jobs": (WORKER_IMAGE, ("pagoda-worker", "run", "--core")),
    "dispatcher": (WORKER_IMAGE, ("pagoda-worker", "dispatch")),
}
"""Every process that works with the database until it is stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a process ended."""

    process: str
    exit_code: int
    log: str


def ends(
    settings: Mapping[str, str], commands: Commands = IMAGES, network: Network | None = None
) -> Iterator[End]:
    """Start processes side by side, wait until each has ended, and yield how."""
    with ExitStack() as started:
        containers = []
        for process, (image, command) in commands.items():
            container = PagodaContainer(
                process.replace(" ", "-").replace("'", ""),
                image,
                command,
                environment=settings,
                network=network,
            )
            started.callback(container.remove)
            containers.append((process, container.start()))
        for process, container in containers:
            yield End(process=process, exit_code=container.exit_code(), log=container.log())

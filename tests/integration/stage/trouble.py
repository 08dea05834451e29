"""What happens to containers in production: killed, cut off, restarted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

RESTARTED: dict[str, Any] = {"restart_policy": {"Name": "always"}}
"""As every orchestrator does: a container that ends is started again."""

KILL_MAIN = """
import os, signal
for name in os.listdir("/proc"):
    if name.isdecimal() and open(f"/proc/{name}/stat").read().rpartition(")")[2].split()[1] == "1":
        os.kill(int(name), signal.SIGKILL)
"""
"""A container's first process can't be killed from inside; its only child can, and the first ends with it."""


def kill_main(container: DockerContainer) -> None:
    """Kill -9 the program in a container, which ends the container and all in it."""
    # The shell's own end tells nothing: it may be killed with the rest before it is heard of.
    container.get_wrapped_container().exec_run(["python", "-c", KILL_MAIN], detach=True)


def started_at(container: DockerContainer) -> str:
    """Return when the container was last started."""
    wrapped = container.get_wrapped_container()
    wrapped.reload()
    return str(wrapped.attrs["State"]["StartedAt"])


@contextlib.contextmanager
def cut_off(container: DockerContainer, network: Network, alias: str) -> Iterator[None]:
    """Take a container out of its network, and put it back under its name there."""
    wire = wire_of(network, container)
    wire.disconnect(container.get_wrapped_container())
    try:
        yield
    finally:
        wire.connect(container.get_wrapped_container(), aliases=[alias])


def wire_of(network: Network, container: DockerContainer) -> Any:
    """Return the engine's own object for a network, which containers join and leave."""
    client = container.get_wrapped_container().client
    assert client is not None
    return client.networks.get(network.name)


@contextlib.contextmanager
def stopped(container: DockerContainer, *, seconds: int = 60) -> Iterator[None]:
    """Stop a container as a deployment does, and start the same one again."""
    wrapped = container.get_wrapped_container()
    wrapped.stop(timeout=seconds)
    try:
        yield
    finally:
        wrapped.start()

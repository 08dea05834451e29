"""Facts of the machine: the host, its network interfaces and its file systems.

What changes by itself while nothing happens (load, usage, counters, uptime) is left out: a second scan of a
machine that is as it was finds the same.
"""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psutil

from pagoda_inventory.formats import is_ip_address, is_mac_address, printable

NETWORK_FILESYSTEMS = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "nfs", "nfs4", "smb3"}
)
"""Asking these for their size waits for a server that may be gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """The machine itself."""

    hostname: str
    os: str  # "Linux"
    kernel: str  # release of the kernel
    architecture: str
    cpu_count: int | None  # logical
    memory_bytes: int
    boot_time: datetime
    python_version: str  # of the worker that scanned


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceFacts:
    """A network interface."""

    interface: str
    addresses: tuple[str, ...]  # IPv4 and IPv6, without scope, sorted
    mac: str | None
    is_up: bool
    mtu: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesystemFacts:
    """A mounted file system."""

    mount_point: str
    device: str
    type: str
    size_bytes: int | None  # None: of a server, or not for us to see
    is_read_only: bool


def host_facts(hostname: str = "") -> HostFacts:
    """Return the facts of this machine, under `hostname` if that is given.

    A container is called another with each start; NODE_NAME, where it is set, names the machine below it.
    """
    return HostFacts(
        hostname=hostname or os.environ.get("NODE_NAME") or socket.gethostname(),
        os=platform.system(),
        kernel=platform.release(),
        architecture=platform.machine(),
        cpu_count=psutil.cpu_count(),
        memory_bytes=psutil.virtual_memory().total,
        boot_time=datetime.fromtimestamp(int(psutil.boot_time()), UTC),
        python_version=platform.python_version(),
    )


def interface_facts() -> list[InterfaceFacts]:
    """Return the network interfaces by name."""
    states = psutil.net_if_stats()
    return [
        _interface(name, [address.address for address in addresses], states.get(name))
        for name, addresses in sorted(psutil.net_if_addrs().items())
    ]


def filesystem_facts(skip_types: Collection[str]) -> list[FilesystemFacts]:
    """Return the mounted file systems by mount point, without those of `skip_types`."""
    mounted = {
        partition.mountpoint: _filesystem(partition)  # of two on one mount point the later one is visible
        for partition in psutil.disk_partitions(all=True)
        if partition.fstype and partition.fstype not in skip_types
    }
    return [mounted[mount_point] for mount_point in sorted(mounted)]


def _interface(name: str, addresses: Iterable[str], state: Any) -> InterfaceFacts:
    plain = [address.partition("%")[0] for address in addresses]
    return InterfaceFacts(
        interface=printable(name),
        addresses=tuple(sorted(filter(is_ip_address, plain))),
        mac=next(_macs(plain), None),
        is_up=bool(state and state.isup),
        mtu=state.mtu if state else None,
    )


def _macs(addresses: Iterable[str]) -> Iterator[str]:
    for address in addresses:
        if is_mac_address(address) and set(address) - set("0:-"):
            yield address.lower().replace("-", ":")


def _filesystem(partition: Any) -> FilesystemFacts:
    return FilesystemFacts(
        mount_point=printable(partition.mountpoint),
        device=printable(partition.device),
        type=partition.fstype,
        size_bytes=_size(partition.mountpoint, partition.fstype),
        is_read_only="ro" in partition.opts.split(","),
    )


def _size(mount_point: str, filesystem_type: str) -> int | None:
    if filesystem_type in NETWORK_FILESYSTEMS:
        return None
    try:
        return psutil.disk_usage(mount_point).total
    except (
        OSError
    ):  # not ours to look at, or unmounted a moment ago: the size is unknown, the mount is a fact
        return None

"""What the tests share beside the fixtures of the SDK's pytest plugin: a machine made of facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pagoda_inventory.facts import MachineFacts
from pagoda_inventory.machine import FilesystemFacts, HostFacts, InterfaceFacts
from pagoda_inventory.packages import PackageFacts, PackageScan, package_key
from pagoda_inventory.plugin import InventoryPlugin
from pagoda_plugin_sdk.testing import MemoryHost, MemoryUser


@pytest.fixture
def plugin() -> InventoryPlugin:
    return InventoryPlugin()


@pytest.fixture
def host(memory_host: MemoryHost) -> MemoryHost:
    return memory_host


@pytest.fixture
def user(host: MemoryHost) -> MemoryUser:
    return host.user("ann")


VENV = "/srv/app"


class FactsMaker:
    """Makes machines out of facts."""

    def interface(self, name: str, *addresses: str, **changes: Any) -> InterfaceFacts:
        facts = InterfaceFacts(interface=name, addresses=addresses, mac=None, is_up=True, mtu=1500)
        return replace(facts, **changes)

    def filesystem(self, mount_point: str, **changes: Any) -> FilesystemFacts:
        facts = FilesystemFacts(
            mount_point=mount_point, device="/dev/sda1", type="ext4", size_bytes=10**9, is_read_only=False
        )
        return replace(facts, **changes)

    def package(self, name: str, version: str | None = "1.0", *requires: str) -> PackageFacts:
        keys = tuple(package_key(needed, VENV) for needed in requires)
        return PackageFacts(package=name, version=version, summary=None, environment=VENV, requires=keys)

    def host(self, **changes: Any) -> HostFacts:
        facts = HostFacts(
            hostname="web-1",
            os="Linux",
            kernel="6.12.0",
            architecture="x86_64",
            cpu_count=4,
            memory_bytes=8 * 2**30,
            boot_time=datetime(2026, 3, 1, 8, 0, tzinfo=UTC),
            python_version="3.13.0",
        )
        return replace(facts, **changes)

    def machine(self, *packages: PackageFacts, **changes: Any) -> MachineFacts:
        """Return a machine with two interfaces, a file system and the packages."""
        interfaces = (
            self.interface("eth0", "192.0.2.7", mac="02:42:ac:11:00:02"),
            self.interface("lo", "127.0.0.1", "::1"),
        )
        facts = MachineFacts(
            host=self.host(),
            interfaces=interfaces,
            filesystems=(self.filesystem("/"),),
            packages=PackageScan(packages=packages),
        )
        return replace(facts, **changes)


@pytest.fixture
def make() -> FactsMaker:
    return FactsMaker()

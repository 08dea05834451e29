from __future__ import annotations

import socket
from collections import namedtuple
from datetime import UTC, datetime
from types import SimpleNamespace

import psutil
import pytest

from pagoda_inventory.formats import is_ip_address, is_mac_address
from pagoda_inventory.machine import filesystem_facts, host_facts, interface_facts
from pagoda_inventory.settings import PSEUDO_FILESYSTEMS

Address = namedtuple("Address", "address")
Partition = namedtuple("Partition", "device mountpoint fstype opts")


def test_this_host_is_known() -> None:
    facts = host_facts()

    assert facts.hostname
    assert facts.memory_bytes > 0
    assert facts.boot_time.tzinfo is UTC
    assert facts.boot_time < datetime.now(UTC)


def test_interfaces_of_this_host_have_addresses_that_are_some() -> None:
    interfaces = interface_facts()

    assert [facts.interface for facts in interfaces] == sorted(psutil.net_if_addrs())
    assert all(is_ip_address(address) for facts in interfaces for address in facts.addresses)
    assert all(facts.mac is None or is_mac_address(facts.mac) for facts in interfaces)


def test_file_systems_of_this_host_are_the_mounted_ones_without_the_skipped() -> None:
    mounted = {
        p.mountpoint for p in psutil.disk_partitions(all=True) if p.fstype not in {*PSEUDO_FILESYSTEMS, ""}
    }

    facts = filesystem_facts(PSEUDO_FILESYSTEMS)

    assert [each.mount_point for each in facts] == sorted(mounted)
    assert {each.type for each in facts}.isdisjoint(PSEUDO_FILESYSTEMS)


@pytest.mark.parametrize("look", [host_facts, interface_facts, lambda: filesystem_facts(PSEUDO_FILESYSTEMS)])
def test_second_look_finds_the_same(look: object) -> None:
    assert callable(look)
    assert look() == look()


def test_addresses_are_sorted_and_without_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = ["fe80::1%eth0", "192.0.2.7", "not an address", "02-42-AC-11-00-02"]
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"eth0": list(map(Address, addresses))})
    monkeypatch.setattr(psutil, "net_if_stats", lambda: {"eth0": SimpleNamespace(isup=True, mtu=9000)})

    (facts,) = interface_facts()

    assert facts.addresses == ("192.0.2.7", "fe80::1")
    assert (facts.mac, facts.is_up, facts.mtu) == ("02:42:ac:11:00:02", True, 9000)


def test_interface_without_state_or_real_mac_is_a_fact_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"lo": [Address("00:00:00:00:00:00")]})
    monkeypatch.setattr(psutil, "net_if_stats", dict)

    (facts,) = interface_facts()

    assert (facts.addresses, facts.mac, facts.is_up, facts.mtu) == ((), None, False, None)


def partitions(monkeypatch: pytest.MonkeyPatch, *mounted: Partition) -> None:
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: list(mounted))  # noqa: A006  # psutil's name


def test_of_two_file_systems_on_one_mount_point_the_later_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    partitions(
        monkeypatch, Partition("/dev/sda1", "/", "ext4", "ro"), Partition("/dev/sdb1", "/", "xfs", "rw")
    )

    (facts,) = filesystem_facts(())

    assert (facts.device, facts.type, facts.is_read_only) == ("/dev/sdb1", "xfs", False)
    assert facts.size_bytes == psutil.disk_usage("/").total


def test_read_only_is_read_from_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    partitions(monkeypatch, Partition("/dev/sda1", "/", "ext4", "noatime,ro"))

    assert filesystem_facts(())[0].is_read_only is True


def test_servers_are_not_asked_for_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    def waits_for_ever(path: str) -> None:
        raise AssertionError(f"asked {path}")

    monkeypatch.setattr(psutil, "disk_usage", waits_for_ever)
    partitions(monkeypatch, Partition("nas:/export", "/mnt/nas", "nfs4", "rw"))

    assert filesystem_facts(())[0].size_bytes is None


def test_file_system_that_can_not_be_looked_at_has_no_size(monkeypatch: pytest.MonkeyPatch) -> None:
    partitions(monkeypatch, Partition("/dev/sdz1", "/no/such/mount\npoint", "ext4", "rw"))

    (facts,) = filesystem_facts(())

    assert (facts.mount_point, facts.size_bytes) == ("/no/such/mount\\npoint", None)


def test_a_machine_is_called_as_it_is_told_and_a_container_after_its_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NODE_NAME", "node-1")
    assert host_facts().hostname == "node-1"
    assert host_facts("shop").hostname == "shop"
    monkeypatch.delenv("NODE_NAME")
    assert host_facts().hostname == socket.gethostname()

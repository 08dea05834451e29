"""Everything that one scan finds on its machine."""

from __future__ import annotations

from dataclasses import dataclass

from pagoda_inventory.machine import (
    FilesystemFacts,
    HostFacts,
    InterfaceFacts,
    filesystem_facts,
    host_facts,
    interface_facts,
)
from pagoda_inventory.packages import PackageScan, package_facts
from pagoda_inventory.settings import InventorySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFacts:
    """One machine at one moment."""

    host: HostFacts
    interfaces: tuple[InterfaceFacts, ...]
    filesystems: tuple[FilesystemFacts, ...]
    packages: PackageScan | None  # None: not looked for


def take_facts(settings: InventorySettings) -> MachineFacts:
    """Look at this machine."""
    wants_packages = settings.include_packages
    return MachineFacts(
        host=host_facts(settings.hostname),
        interfaces=tuple(interface_facts()),
        filesystems=tuple(filesystem_facts(settings.skip_filesystem_types)),
        packages=package_facts(settings.package_folders, settings.max_packages) if wants_packages else None,
    )

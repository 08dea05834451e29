"""What an operator may set in PLUGIN_SETTINGS for the plugin."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

PSEUDO_FILESYSTEMS = frozenset(
    {
        "autofs",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devfs",
        "devpts",
        "devtmpfs",
        "efivarfs",
        "fusectl",
        "hugetlbfs",
        "mqueue",
        "nsfs",
        "proc",
        "procfs",
        "pstore",
        "ramfs",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "sysfs",
        "tmpfs",
        "tracefs",
    }
)
"""File systems of the kernel and in memory: they hold no disk and come and go with processes."""


class InventorySettings(BaseModel):
    """How a scan goes about it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hostname: str = (
        ""  # of the machine's entry; empty: NODE_NAME of the environment, or what the machine is called
    )
    include_packages: bool = (
        True  # False: hosts, interfaces and file systems alone; packages stay as they are
    )
    package_folders: tuple[Path, ...] | None = (
        None  # where to look for packages; None: every folder that is found
    )
    max_packages: int = Field(default=5000, ge=0)  # a scan takes no more than the first so many, by name
    gone_after_hours: float | None = Field(default=168.0, gt=0, le=876_000)  # null: hosts are never gone
    skip_filesystem_types: frozenset[str] = PSEUDO_FILESYSTEMS

    @property
    def gone_after(self) -> timedelta | None:
        """Return how long a host may be unseen before it counts as gone."""
        return None if self.gone_after_hours is None else timedelta(hours=self.gone_after_hours)

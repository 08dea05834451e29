"""Limit what one worker child may take: no core dumps, open files, size of a file, memory."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path

MEGABYTE = 1024 * 1024
STATM = Path("/proc/self/statm")  # its sixth number: pages of data and private mappings


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildLimits:
    """Upper bounds for one child process; None leaves what the process inherited."""

    memory_mb: int | None = None  # on top of what it has; beyond that, Python raises MemoryError
    open_files: int | None = 4096
    file_mb: int | None = 8192  # the embedded database is written by children too and must fit


def apply(limits: ChildLimits) -> None:
    """Lower this process's resource limits, for itself and what it starts; never raises one."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, limits.open_files)
    _lower(resource.RLIMIT_FSIZE, _bytes(limits.file_mb))
    held = _data_bytes()
    if limits.memory_mb is not None and held is not None:
        _lower(resource.RLIMIT_DATA, held + limits.memory_mb * MEGABYTE)


def _bytes(megabytes: int | None) -> int | None:
    return None if megabytes is None else megabytes * MEGABYTE


def _data_bytes() -> int | None:
    """Return what counts against RLIMIT_DATA in this process; None where there is no ``/proc``."""
    try:
        pages = int(STATM.read_text().split()[5])
    except FileNotFoundError:
        return None
    return pages * resource.getpagesize()


def _lower(kind: int, value: int | None) -> None:
    if value is None:
        return
    hard = resource.getrlimit(kind)[1]
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (bound, bound))

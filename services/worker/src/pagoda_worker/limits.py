"""Limit what one worker child may take: no core dumps, open files, size of a file, memory."""

from __future__ import annotations

import resource
from dataclasses import dataclass

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildLimits:
    """Upper bounds for one child process; None leaves what the process inherited."""

    memory_mb: int | None = None  # data segment and private mappings; beyond it Python raises MemoryError
    open_files: int | None = 4096
    file_mb: int | None = 8192  # the embedded database is written by children too and must fit


def apply(limits: ChildLimits) -> None:
    """Lower this process's resource limits, for itself and what it starts; never raises one."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, limits.open_files)
    _lower(resource.RLIMIT_FSIZE, _bytes(limits.file_mb))
    _lower(resource.RLIMIT_DATA, _bytes(limits.memory_mb))


def _bytes(megabytes: int | None) -> int | None:
    return None if megabytes is None else megabytes * MEGABYTE


def _lower(kind: int, value: int | None) -> None:
    if value is None:
        return
    hard = resource.getrlimit(kind)[1]
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (bound, bound))

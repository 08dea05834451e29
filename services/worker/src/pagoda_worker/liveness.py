"""A file that a process touches while it is well, for probes that must not load the host."""

from __future__ import annotations

import time
from pathlib import Path


def touch(path: Path | None) -> None:
    """Say that this process is well; nothing without a file."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def age_of(path: Path) -> float | None:
    """Return how many seconds ago the file was touched, None when it does not exist."""
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return None

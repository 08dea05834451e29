"""A file that a process touches while it is well, for probes that must not load the host."""

from __future__ import annotations

import logging
import time
from pathlib import Path

log = logging.getLogger(__name__)


def touch(path: Path | None) -> None:
    """Say that this process is well; nothing without a file. A full or broken disk is logged, no more."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        log.warning("alive file not touched: %s", error)


def age_of(path: Path) -> float | None:
    """Return how many seconds ago the file was touched, None when it does not exist."""
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return None

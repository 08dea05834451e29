"""Metrics of several processes of one server are added up through files in a folder; import this first."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def share() -> Path:
    """Have this process and those it starts write their metrics into one new folder, removed at its end.

    A folder that the environment names, as a supervisor's, is kept. Call it before anything imports
    ``prometheus_client``, which looks at the variable once.
    """
    if named := os.environ.get(VARIABLE):
        return Path(named)
    folder = Path(tempfile.mkdtemp(prefix="pagoda-metrics-"))
    os.environ[VARIABLE] = str(folder)
    atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)

"""A file per worker, locked while it or a child of it lives, by which the next one knows that it is gone.

A worker that is killed hard can't give its jobs back, which would wait for the end of their lease. The kernel
takes back the lock of what has ended, however it ended, and children have it from their parent: a file that
can be locked proves that nobody runs on. Where the folder is gone, too (a lost node, another Pod), the lease
decides.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

SUFFIX = ".lock"


def hold(folder: Path, node: str) -> Path:
    """Lock the file of a worker for as long as this process or one forked from it lives; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=folder)  # nobody looks at it before it is locked
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return Path(name).replace(folder / f"{node}{SUFFIX}")


def bury(folder: Path, place: str, give_back: Callable[[str], None]) -> None:
    """Call `give_back` with the name of each worker `PLACE.PID` that is gone, then forget it.

    `place` is queue and machine, ``core@host``: a folder that machines share is no proof for another one's.
    """
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        node = path.name.removesuffix(SUFFIX)
        file = _locked(path) if node.rpartition(".")[0] == place else None
        if file is not None:
            with file:
                give_back(node)
                path.unlink(missing_ok=True)


def _locked(path: Path) -> IO[bytes] | None:
    """Return the file with its lock; None while somebody else has it, or when it was replaced meanwhile."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    file.close()
    return None

"""Run a command that dies with the process that started it, even when that one is killed with ``-9``.

``python -m pagoda_worker.tether PARENT_PID COMMAND [ARGUMENT...]`` ties itself to its parent and becomes the
command (the tie outlives ``exec``). A launcher, because code of ours between fork and exec would not be safe
in a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
EX_USAGE = 64
EX_PARENT_GONE = 75


def tethered(command: Sequence[str]) -> list[str]:
    """Return the command line that runs `command` tied to the calling process."""
    return [sys.executable, "-m", __name__, str(os.getpid()), *command]


def die_with_parent() -> bool:
    """Have the kernel kill this process when its parent ends; False where the kernel can't (not Linux)."""
    prctl = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)
    return prctl is not None and prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL)) == 0


def main(argv: Sequence[str]) -> int:
    """Tie this process to its parent and become the command; returns only when it can't."""
    if len(argv) < 2 or not argv[0].isdecimal():
        sys.stderr.write(f"tether: arguments {list(argv)!r}, expected PARENT_PID COMMAND [ARGUMENT...]\n")
        return EX_USAGE
    parent, *command = argv
    die_with_parent()
    if os.getppid() != int(parent):  # it ended before the tie held
        return EX_PARENT_GONE
    return os.execvp(command[0], command)  # noqa: S606 - the caller's own command line, no shell


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""End a process although a plugin left something behind that holds it: a thread, or a handler of its exit."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn

GRACE_SECONDS = 5.0
"""For whatever ends by itself: error reports are sent meanwhile."""


def run_and_end(command: Callable[[], int | None]) -> NoReturn:
    """Run a command line and exit with its status, `GRACE_SECONDS` after it is done at the latest."""
    try:
        status = command() or 0
    except SystemExit as ending:
        status = _status(ending)
    except BaseException:
        _end_later(1)
        raise
    _end_later(status)
    sys.exit(status)


def _status(ending: SystemExit) -> int:
    if ending.code is None or isinstance(ending.code, int):
        return ending.code or 0
    sys.stderr.write(f"{ending.code}\n")  # as the interpreter does
    return 1


def _end_later(status: int) -> None:
    threading.Thread(target=_end, args=(status,), name="end", daemon=True).start()


def _end(status: int) -> None:
    time.sleep(GRACE_SECONDS)
    held = [thread.name for thread in threading.enumerate() if not thread.daemon and thread.is_alive()]
    names = ", ".join(name for name in held if name != "MainThread") or "a handler of its exit"
    sys.stdout.flush()
    sys.stderr.write(f"the process is held by {names} after its work is done; it is ended\n")
    sys.stderr.flush()
    os._exit(status)

"""A task that forks: its child ends where the task ends, and uses nothing that belongs to its parent.

Without this the child would go on in the worker's code: end the job under the parent's claim, end the
parent's transaction, and take further jobs from the parent's pipe.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import connections

from pagoda.jobs.execution import current_execution

_of_the_parent: list[Any] = []
"""Connections, kept: to close them, as their deletion would, is to close the parent's."""


@contextmanager
def ending_forks() -> Iterator[None]:
    """End this process at the end of the block if it was forked inside."""
    pid, code = os.getpid(), 1
    try:
        yield
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        raise
    finally:
        if os.getpid() != pid:
            for stream in (sys.stdout, sys.stderr):
                with suppress(Exception):
                    stream.flush()
            os._exit(code & 0xFF)


def _leave_connections() -> None:
    if current_execution() is None:
        return
    for connection in connections.all(initialized_only=True):
        _of_the_parent.append(connection)
        del connections[connection.alias]


os.register_at_fork(after_in_child=_leave_connections)

"""Waiting for something to become true."""

from __future__ import annotations

import time
from collections.abc import Callable

STEP_SECONDS = 0.1


def wait_until[T](look: Callable[[], T], limit_seconds: float, otherwise: Callable[[], str]) -> T:
    """Call `look` until what it returns is true, and return that.

    Raises:
        AssertionError: it took longer than the limit; `otherwise` says what there was instead.
    """
    deadline = time.monotonic() + limit_seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {limit_seconds:g} s: {otherwise()}"
        time.sleep(STEP_SECONDS)
    return found

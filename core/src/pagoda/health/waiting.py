"""Wait at start-up for what a process can't work without, and tell what it waits for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

import structlog
from django.db import DatabaseError, connections
from kombu.exceptions import OperationalError as BrokerError

from pagoda.errors import NotReady
from pagoda.health.results import CheckFailed
from pagoda.health.runner import Check

STEP_SECONDS = 0.5

NEEDED_TO_START = ("database", "migrations")
"""What a serving process waits for; jobs wait in the database while the broker is away."""

log = structlog.get_logger(__name__)


def wait_for(
    names: Iterable[str] = NEEDED_TO_START,
    *,
    timeout: timedelta,
    checks: Mapping[str, Check] | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return once each of the named checks has passed, one after the other.

    Each reason to wait is logged once. A connection that hangs is cut by the driver's own limit, which may
    exceed `timeout` by that much.

    Raises:
        NotReady: one has not passed when `timeout` is over.
    """
    # Late: these use models, and processes import this before the host has started
    from pagoda.health.checks import CHECKS

    known, deadline = CHECKS if checks is None else checks, clock() + timeout.total_seconds()
    for name in names:
        told = ""
        while reason := _reason_to_wait(known[name]):
            if clock() >= deadline:
                limit = timeout.total_seconds()
                raise NotReady(f"waited {limit:g} s for {name}, given up: {reason}")
            if reason != told:
                log.warning("waiting", waits_for=name, reason=reason)
                told = reason
            sleep(STEP_SECONDS)
        if told:
            log.info("waited", waits_for=name)


def _reason_to_wait(check: Check) -> str:
    """Return why the check does not pass, in one line; empty when it does."""
    try:
        check()
    except CheckFailed as error:
        return str(error)
    except (DatabaseError, BrokerError, OSError) as error:
        # The first line: host, port and cause. Drivers never repeat a password in it.
        return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    finally:
        connections.close_all()  # a process that forks after this must not share one
    return ""

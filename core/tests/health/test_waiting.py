"""Waiting at start-up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError
from structlog.testing import capture_logs

from pagoda.errors import NotReady
from pagoda.health.results import CheckFailed, Finding
from pagoda.health.waiting import wait_for


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Late:
    """A check that fails a number of times before it passes."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> Finding:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return Finding(text="fine")


def wait(checks: dict[str, Late], seconds: float = 10) -> Clock:
    clock = Clock()
    wait_for(checks, timeout=timedelta(seconds=seconds), checks=checks, clock=clock, sleep=clock.sleep)
    return clock


def test_what_is_there_is_not_waited_for() -> None:
    with capture_logs() as logs:
        clock = wait({"database": Late(), "migrations": Late()}, seconds=0)
    assert (clock.now, logs) == (0, [])


def test_waits_for_one_after_the_other_and_tells_each_reason_once() -> None:
    refused = OperationalError("connection to db:5432 refused\nIs it running?")
    checks = {
        "database": Late(refused, refused, CheckFailed("it starts up")),
        "migrations": Late(CheckFailed("2 migration(s) are not applied")),
    }
    with capture_logs() as logs:
        clock = wait(checks)
    assert clock.now == 2.0
    assert [(line["event"], line["waits_for"], line.get("reason")) for line in logs] == [
        ("waiting", "database", "OperationalError: connection to db:5432 refused"),
        ("waiting", "database", "it starts up"),
        ("waited", "database", None),
        ("waiting", "migrations", "2 migration(s) are not applied"),
        ("waited", "migrations", None),
    ]


def test_gives_up_at_the_limit_and_says_why() -> None:
    checks = {"database": Late(*[CheckFailed("no route")] * 99), "migrations": Late()}
    with pytest.raises(NotReady, match=r"^waited 3 s for database, given up: no route$"):
        wait(checks, seconds=3)
    assert checks["migrations"].calls == 0


def test_a_fault_in_the_program_is_not_waited_out() -> None:
    with pytest.raises(ZeroDivisionError):
        wait({"database": Late(ZeroDivisionError())})

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from threading import Event

import pytest

from pagoda.health.results import CheckFailed, CheckStatus, Finding
from pagoda.health.runner import CheckRunner

SOON = timedelta(milliseconds=50)
IN_TIME = timedelta(seconds=30)


@pytest.fixture
def never() -> Iterator[Event]:
    """What a hanging check waits for; it comes when the test is over."""
    event = Event()
    yield event
    event.set()


def fine() -> Finding:
    return Finding(text="answers", data={"vendor": "sqlite"})


def failed() -> Finding:
    raise CheckFailed("2 migrations are not applied.")


def broken() -> Finding:
    raise ConnectionError("could not connect to postgresql://ann:secret@db/")


def test_results_come_in_the_order_of_the_checks() -> None:
    results = CheckRunner().run({"b": failed, "a": fine, "c": broken}, timeout=IN_TIME)

    assert [(result.name, result.status) for result in results] == [
        ("b", CheckStatus.FAILED),
        ("a", CheckStatus.OK),
        ("c", CheckStatus.FAILED),
    ]
    assert [result.is_ok for result in results] == [False, True, False]


def test_result_carries_what_the_check_found() -> None:
    [result] = CheckRunner().run({"database": fine}, timeout=IN_TIME)

    shown = result.to_json()
    assert shown.pop("duration_ms") >= 0
    assert shown == {"status": "ok", "text": "answers", "data": {"vendor": "sqlite"}}


def test_reason_of_a_failed_check_is_told() -> None:
    [result] = CheckRunner().run({"migrations": failed}, timeout=IN_TIME)

    assert result.text == "2 migrations are not applied."


def test_message_of_a_driver_is_not_told() -> None:
    [result] = CheckRunner().run({"database": broken}, timeout=IN_TIME)

    assert result.text == "ConnectionError, see the log"


def test_check_that_hangs_does_not_hold_the_others_up(never: Event) -> None:
    def hang() -> Finding:
        never.wait()
        return fine()

    hanging, other = CheckRunner().run({"broker": hang, "database": fine}, timeout=SOON)

    assert (hanging.status, hanging.text) == (CheckStatus.TIMEOUT, "no answer within 0.05 s")
    assert not hanging.is_ok
    assert other.is_ok


def test_check_that_still_hangs_is_not_started_again(never: Event) -> None:
    started: list[int] = []

    def hang() -> Finding:
        started.append(1)
        never.wait()
        return fine()

    runner = CheckRunner()
    runner.run({"broker": hang}, timeout=SOON)
    [again] = runner.run({"broker": hang}, timeout=SOON)

    assert again.status is CheckStatus.TIMEOUT
    assert len(started) == 1


def test_check_that_ended_late_is_started_again() -> None:
    gate, ended = Event(), Event()

    def late() -> Finding:
        gate.wait()
        ended.set()
        return fine()

    runner = CheckRunner()
    runner.run({"broker": late}, timeout=SOON)
    gate.set()
    ended.wait()
    for thread in list(runner._hanging.values()):
        thread.join()
    [again] = runner.run({"broker": late}, timeout=IN_TIME)

    assert again.is_ok


def test_no_checks_have_no_results() -> None:
    assert CheckRunner().run({}, timeout=SOON) == ()

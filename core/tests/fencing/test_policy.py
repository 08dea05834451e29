"""Where exactly a breaker opens, is probed and closes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pagoda.config.loading import load_settings
from pagoda.fencing.policy import Policy
from pagoda.fencing.rows import Batch, Row

POLICY = Policy(min_calls=10, failure_ratio=0.3, consecutive_failures=4)


def counted(*results: bool) -> Row:
    """Return the row of a new breaker after calls that went well or not, each of a name of its own."""
    batch = Batch()
    for number, is_ok in enumerate(results):
        if is_ok:
            batch.succeed(f"view {number}")
        else:
            batch.fail(f"view {number}", "ValueError")
    return POLICY.counted(Row(plugin="x", surface="endpoint"), batch, 1.0, "node/1")


@pytest.mark.parametrize(
    ("calls", "failures", "status"),
    [
        (10, 2, "closed"),
        (10, 3, "open"),
        (11, 3, "closed"),
        (9, 9, "closed"),
        (10, 10, "open"),
        (10, 0, "closed"),
    ],
)
def test_the_ratio_opens_at_its_limit_and_from_the_least_number_of_calls(
    calls: int, failures: int, status: str
) -> None:
    assert counted(*[False] * failures, *[True] * (calls - failures)).status == status


@pytest.mark.parametrize(("failures", "status"), [(3, "closed"), (4, "open")])
def test_a_streak_opens_at_its_limit(failures: int, status: str) -> None:
    batch = Batch()
    for _ in range(failures):
        batch.fail("view", "ValueError")
    assert POLICY.counted(Row(plugin="x", surface="endpoint"), batch, 1.0, "node/1").status == status


NOW = 1000.0
WHOLE = Policy(
    min_calls=2, failure_ratio=0.5, consecutive_failures=4, window_seconds=60.0, cooldown_seconds=30.0
)
OPEN = Row(plugin="x", surface="hook", status="open", since=NOW, retry_at=NOW + 30, calls=2, failures=2)
PROBED = replace(OPEN, status="half_open", since=NOW + 30, retry_at=NOW + 60, holder="node/1")


def batch_of(*, failures: int = 0, successes: int = 0) -> Batch:
    batch = Batch()
    if successes:
        batch.succeed("view", successes)
    for _ in range(failures):
        batch.fail("view", "ValueError")
    return batch


def test_the_limits_are_those_of_the_settings() -> None:
    settings = load_settings(
        {
            "BREAKER_MIN_CALLS": "7",
            "BREAKER_FAILURE_RATIO": "0.25",
            "BREAKER_CONSECUTIVE_FAILURES": "3",
            "BREAKER_WINDOW_SECONDS": "11",
            "BREAKER_COOLDOWN_SECONDS": "13",
            "BREAKER_DRY_RUN": "true",
            "BREAKER_PINNED": "a,b",
        }
    )
    assert Policy.of(settings) == Policy(
        min_calls=7,
        failure_ratio=0.25,
        consecutive_failures=3,
        window_seconds=11.0,
        cooldown_seconds=13.0,
        dry_run=True,
        pinned=frozenset({"a", "b"}),
    )


@pytest.mark.parametrize(("age", "calls"), [(60.0, 4), (60.5, 1)])
def test_calls_are_counted_together_within_the_window(age: float, calls: int) -> None:
    row = Row(plugin="x", surface="hook", window=NOW, calls=3, failures=1, last_error="KeyError")
    counted = WHOLE.counted(row, batch_of(successes=1), NOW + age, "node/1")
    assert (counted.calls, counted.failures) == (calls, 1 if calls > 1 else 0)
    assert counted.window == (NOW if calls > 1 else NOW + age)
    assert (counted.status, counted.last_error) == ("closed", "KeyError")


def test_what_opens_says_why_and_when_it_is_probed() -> None:
    closed = Row(plugin="x", surface="hook", holder="node/9")
    by_ratio = WHOLE.counted(closed, batch_of(failures=2, successes=1), NOW, "node/1")
    assert by_ratio.reason == "2 of 3 calls failed, the last one with ValueError"
    assert (by_ratio.status, by_ratio.since) == ("open", NOW)
    assert (by_ratio.retry_at, by_ratio.holder) == (NOW + 30, "")
    by_streak = WHOLE.counted(closed, batch_of(failures=4), NOW, "node/1")
    assert by_streak.reason == "view failed 4 times in a row, the last time with ValueError"
    pinned = replace(WHOLE, pinned=frozenset({"x"})).counted(closed, batch_of(failures=9), NOW, "node/1")
    assert (pinned.status, pinned.failures, pinned.reason) == ("closed", 9, "")


def test_a_probe_goes_once_the_cool_down_is_over_and_again_when_it_is_lost() -> None:
    assert WHOLE.probing(OPEN, NOW + 29.9, "node/1") is OPEN
    probed = WHOLE.probing(OPEN, NOW + 30, "node/1")
    assert probed == replace(PROBED, reason="the cool-down is over")
    assert WHOLE.probing(probed, NOW + 59.9, "node/2") is probed
    assert WHOLE.probing(probed, NOW + 60, "node/2").holder == "node/2"
    closed = Row(plugin="x", surface="hook")
    assert WHOLE.probing(closed, NOW, "node/1") is closed


def test_the_process_that_probes_alone_is_heard() -> None:
    for row, process, batch in (
        (OPEN, "", batch_of(successes=1)),
        (PROBED, "node/2", batch_of(failures=1)),
        (PROBED, "node/1", batch_of()),
    ):
        assert WHOLE.counted(row, batch, NOW + 31, process) is row
    failed = WHOLE.counted(PROBED, batch_of(failures=1), NOW + 31, "node/1")
    assert (failed.status, failed.since, failed.retry_at, failed.holder) == ("open", NOW + 31, NOW + 61, "")
    assert (failed.reason, failed.last_error) == ("the probe failed: ValueError", "ValueError")
    healed = WHOLE.counted(replace(PROBED, streaks={"view": 4}), batch_of(successes=1), NOW + 31, "node/1")
    assert healed == Row(
        plugin="x", surface="hook", since=NOW + 31, window=NOW + 31, reason="the probe succeeded"
    )


def test_who_asks_for_a_probe_gets_it_at_once() -> None:
    assert WHOLE.retried(OPEN, NOW + 5).retry_at == NOW
    assert WHOLE.retried(OPEN, NOW - 5).retry_at == NOW - 5
    closed = Row(plugin="x", surface="hook", retry_at=NOW)
    assert WHOLE.retried(closed, NOW - 5) is closed


def test_a_stored_row_is_believed_within_a_cool_down_of_now() -> None:
    latest = replace(OPEN, since=NOW + 30, window=NOW + 30, retry_at=NOW + 60)
    assert WHOLE.bounded(latest, NOW) is latest
    assert WHOLE.bounded(replace(latest, window=NOW + 31), NOW) == replace(latest, window=0.0)
    assert WHOLE.bounded(replace(latest, since=NOW + 31), NOW) == replace(latest, since=0.0, retry_at=30.0)
    assert WHOLE.bounded(replace(latest, retry_at=NOW + 61), NOW) == latest


@pytest.mark.parametrize(
    ("row", "process", "admits"),
    [
        (Row(plugin="x", surface="hook"), "node/1", True),
        (OPEN, "", False),
        (PROBED, "node/1", True),
        (PROBED, "node/2", False),
    ],
    ids=["closed", "open", "its probe", "the probe of another"],
)
def test_calls_go_through_unless_it_is_out_of_service(row: Row, process: str, admits: bool) -> None:
    assert WHOLE.admits(row, process) is admits
    assert replace(WHOLE, dry_run=True).admits(row, process)

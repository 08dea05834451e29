from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagoda.jobs import cron

NOON = datetime(2030, 5, 1, 12, 0, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("schedule", "now", "due"),
    [
        ("* * * * *", NOON, NOON),
        ("* * * * *", NOON + timedelta(seconds=59), NOON),
        ("*/15 * * * *", NOON + timedelta(minutes=14), NOON),
        ("*/15 * * * *", NOON + timedelta(minutes=15), NOON + timedelta(minutes=15)),
        ("0 12 * * *", NOON, NOON),
        ("0 12 1 5 *", NOON, NOON),
        ("0 12 * * 3", NOON, NOON),
        ("0 12 * * wed", NOON, NOON),
        ("0 12 * * 4", NOON, None),
        ("0 12 2 * *", NOON, None),
        ("0 0 * * *", NOON, None),
    ],
)
def test_the_latest_tick_is_the_last_due_minute(schedule: str, now: datetime, due: datetime | None) -> None:
    found = cron.latest_tick(cron.parse(schedule), now=now, not_before=NOON - timedelta(minutes=1))

    assert found == due


def test_a_tick_that_was_seen_is_not_found_again() -> None:
    assert cron.latest_tick(cron.parse("0 * * * *"), now=NOON, not_before=NOON) is None


def test_ticks_are_made_up_for_within_an_hour_and_once() -> None:
    every_ten = cron.parse("*/10 * * * *")
    noon = cron.parse("0 12 * * *")
    last_week = NOON - timedelta(days=7)

    assert cron.latest_tick(every_ten, now=NOON + timedelta(minutes=5), not_before=last_week) == NOON
    assert cron.latest_tick(noon, now=NOON + timedelta(minutes=59), not_before=last_week) == NOON
    assert cron.latest_tick(noon, now=NOON + timedelta(minutes=61), not_before=last_week) is None


@given(minutes=st.integers(0, 60 * 24 * 366), seconds=st.integers(0, 59))
def test_a_found_tick_is_due_and_no_later_one_is(minutes: int, seconds: int) -> None:
    now = NOON + timedelta(minutes=minutes, seconds=seconds)
    schedule = cron.parse("*/7 */3 * * 1-5")

    found = cron.latest_tick(schedule, now=now, not_before=now - timedelta(days=1))

    if found is not None:
        assert cron.is_due(schedule, found)
        assert now - cron.CATCH_UP <= found + timedelta(minutes=1)
        later = found + timedelta(minutes=1)
        while later <= now:
            assert not cron.is_due(schedule, later)
            later += timedelta(minutes=1)


@pytest.mark.parametrize("schedule", ["", "* * * *", "61 * * * *", "a b c d e", "* 24 * * *", "* * * * 8"])
def test_what_is_no_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(ValueError) as raised:
        cron.parse(schedule)

    assert str(raised.value).startswith(
        f"Schedule is {schedule!r}, expected five cron fields such as '*/15 * * * *': "
    )

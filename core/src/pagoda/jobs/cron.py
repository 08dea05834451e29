"""When a schedule is due. Schedules are five cron fields in UTC."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from celery.schedules import ParseException, crontab

CATCH_UP = timedelta(hours=1)
"""Ticks that nobody started, as no dispatcher ran, are made up for within this time: by one run for all."""

_MINUTE = timedelta(minutes=1)


def parse(schedule: str) -> crontab:
    """Return the parsed form of five cron fields: minute, hour, day of month, month, day of week.

    Raises:
        ValueError: they are not understood.
    """
    try:
        return crontab.from_string(schedule)
    except (ParseException, ValueError, TypeError) as error:
        raise ValueError(
            f"Schedule is {schedule!r}, expected five cron fields such as '*/15 * * * *': {error}."
        ) from error


def latest_tick(schedule: crontab, *, now: datetime, not_before: datetime) -> datetime | None:
    """Return the latest minute after `not_before`, up to `now`, at which `schedule` is due, or None."""
    minute = now.replace(second=0, microsecond=0)
    earliest = max(not_before, minute - CATCH_UP)
    while minute > earliest:
        if is_due(schedule, minute):
            return minute
        minute -= _MINUTE
    return None


def is_due(schedule: crontab, minute: datetime) -> bool:
    """Return whether `schedule` is due in this minute; all five fields have to match."""
    fields: Any = schedule  # celery-types knows none of the parsed fields
    return (
        minute.minute in fields.minute
        and minute.hour in fields.hour
        and minute.day in fields.day_of_month
        and minute.month in fields.month_of_year
        and minute.isoweekday() % 7 in fields.day_of_week
    )

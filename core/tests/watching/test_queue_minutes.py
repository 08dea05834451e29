"""What is kept of the queues, minute by minute."""

from __future__ import annotations

from typing import Any

import pytest

from pagoda.watching import queue_minutes
from pagoda.watching.models import QueueMinute
from pagoda.watching.queue_minutes import KEPT_MINUTES, last_hour, note, prune
from pagoda.watching.queues import Queue

pytestmark = pytest.mark.django_db

NAME = "plugin.shelf"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The minute that it is, and the depth of the queue; both to be turned."""
    now = {"minute": 1_000_000, "depth": 0}

    def found() -> dict[str, Queue]:
        queue = Queue(name=NAME, phases={"queued": now["depth"]}, oldest_seconds=now["depth"] * 2.0)
        return {"core": Queue(name="core"), NAME: queue}

    monkeypatch.setattr(queue_minutes, "_minute", lambda: now["minute"])
    monkeypatch.setattr(queue_minutes, "queues", found)
    return now


def test_the_last_look_of_a_minute_stays_and_a_minute_without_one_is_unknown(clock: dict[str, int]) -> None:
    for minute, depths in ((1_000_000, (9, 3)), (1_000_002, (5,))):
        for depth in depths:
            clock.update(minute=minute, depth=depth)
            assert note() == 2
    assert QueueMinute.objects.count() == 4
    hour = last_hour(NAME)
    assert (len(hour.depths), len(hour.ages)) == (KEPT_MINUTES, KEPT_MINUTES)
    assert (hour.depths[-3:], hour.ages[-3:]) == ((3, None, 5), (6.0, None, 10.0))
    assert set(hour.depths[:-3]) == {None}
    assert last_hour("core").depths[-3:] == (0, None, 0)
    assert set(last_hour("plugin.nobody").depths) == {None}


def test_an_hour_is_kept_and_no_more(clock: dict[str, int], django_assert_num_queries: Any) -> None:
    for past in range(2 * KEPT_MINUTES):
        clock.update(minute=1_000_000 + past, depth=past)
        note()
        prune()
    assert QueueMinute.objects.count() == 2 * KEPT_MINUTES  # of two queues
    with django_assert_num_queries(1):
        assert last_hour(NAME).depths == tuple(range(KEPT_MINUTES, 2 * KEPT_MINUTES))

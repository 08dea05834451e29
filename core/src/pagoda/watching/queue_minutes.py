"""How long the queues were, and how old what waited in them, in each minute of the last hour.

The dispatcher looks several times a minute, the last of which stays; without one nothing is kept.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from pagoda.watching.models import QueueMinute
from pagoda.watching.queues import queues

KEPT_MINUTES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueHour:
    """A queue over the last `KEPT_MINUTES`, the oldest first; None for a minute in which nobody looked."""

    depths: tuple[int | None, ...]  # jobs that waited for a worker
    ages: tuple[float | None, ...]  # seconds that the first of them had waited


def note() -> int:
    """Keep how the queues are now; return how many there are."""
    minute = _minute()
    rows = [
        QueueMinute(queue=each.name, minute=minute, depth=each.depth, age_seconds=each.oldest_seconds)
        for each in queues().values()
    ]
    QueueMinute.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["queue", "minute"],
        update_fields=["depth", "age_seconds"],
    )
    return len(rows)


def last_hour(queue: str) -> QueueHour:
    """Return what was kept of a queue; one query."""
    first = _minute() - KEPT_MINUTES + 1
    found = QueueMinute.objects.filter(queue=queue, minute__gte=first)
    kept = {row.minute: row for row in found}
    rows = [kept.get(first + place) for place in range(KEPT_MINUTES)]
    return QueueHour(
        depths=tuple(None if row is None else row.depth for row in rows),
        ages=tuple(None if row is None else row.age_seconds for row in rows),
    )


def prune() -> int:
    """Remove what is older than `last_hour` shows; return how many rows there were."""
    return QueueMinute.objects.filter(minute__lte=_minute() - KEPT_MINUTES).delete()[0]


def _minute() -> int:
    return int(time.time() // 60)

"""Exporting events, for archives and other systems."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from pagoda.audit.hashing import canonical
from pagoda.audit.models import AuditEvent


def exported(since: datetime | None = None) -> Iterator[str]:
    """Yield one line of JSON for each event from `since` on, the oldest first, in the form that is hashed."""
    events = AuditEvent.objects.order_by("pk")
    if since is not None:
        # Not `gte`: SQLite compares texts, and stores milliseconds where Django asks with microseconds.
        events = events.filter(happened_at__gt=since - timedelta(microseconds=1))
    for event in events.iterator(chunk_size=1000):
        yield canonical(event.to_json()).decode()

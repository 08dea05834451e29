"""What leaves the log: events are exported, and old ones pruned, with one event that sums them up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from pagoda.audit import append_only
from pagoda.audit.actions import Action
from pagoda.audit.hashing import canonical
from pagoda.audit.models import AuditEvent, AuditSeal
from pagoda.audit.recording import record

EVENTS = 20_000
"""Of one transaction, or little more: writers wait for it, as it takes the triggers off."""


def exported(since: datetime | None = None) -> Iterator[str]:
    """Yield one line of JSON for each event from `since` on, the oldest first, in the form that is hashed."""
    events = AuditEvent.objects.order_by("pk")
    if since is not None:
        # Not `gte`: SQLite compares texts, and stores milliseconds where Django asks with microseconds.
        events = events.filter(happened_at__gt=since - timedelta(microseconds=1))
    for event in events.iterator(chunk_size=1000):
        yield canonical(event.to_json()).decode()


def prune(before: datetime, write: Callable[[str], object], secure: Callable[[], object]) -> int:
    """Remove the seals, from the first on, all of whose events happened before, and return how many events.

    `write` gets a line of JSON for each of them, in the form that is hashed; `secure` is called before they
    are removed, to have the lines on the disk. An event that is recorded in the same transaction has their
    numbers and last hash, so that the chain goes on from there. The last seal stays.
    """
    removed = 0
    while count := _prune_some(before, write, secure):
        removed += count
    return removed


def _prune_some(before: datetime, write: Callable[[str], object], secure: Callable[[], object]) -> int:
    with transaction.atomic():
        seals = _old_seals(before)
        if not seals:
            return 0
        ids = [pk for seal in seals for pk in seal.event_ids]
        events = list(AuditEvent.objects.filter(pk__in=ids).order_by("pk"))
        for event in events:
            write(canonical(event.to_json()).decode())
        secure()
        details = _summary(events) | {
            "seal": seals[-1].number,
            "hash": seals[-1].hash,
            "up_to": max(seal.reach for seal in seals),
        }
        record(
            Action.AUDIT_PRUNED, subject_type="audit", subject=f"seals to {seals[-1].number}", details=details
        )
        append_only.unguard(connection)
        AuditSeal.objects.filter(number__lte=seals[-1].number).delete()
        AuditEvent.objects.filter(pk__in=ids).delete()
        append_only.guard(connection)
    return len(events)


def _old_seals(before: datetime) -> list[AuditSeal]:
    """Return the first seals, without the last of all, that cover nothing younger."""
    old: list[AuditSeal] = []
    events = 0
    for seal in AuditSeal.objects.order_by("number").iterator(chunk_size=200):
        young = AuditEvent.objects.filter(pk__in=seal.event_ids, happened_at__gte=before)
        if events >= EVENTS or young.exists():
            return old
        old.append(seal)
        events += len(seal.event_ids)
    return old[:-1]


def _summary(events: list[AuditEvent]) -> dict[str, Any]:
    """Return what is kept of them: how many of each kind, and from when to when.

    Summaries among them count as what they stand for.
    """
    counts: Counter[str] = Counter()
    begins = []
    for event in events:
        counts.update(event.details["counts"] if event.action == Action.AUDIT_PRUNED else [event.action])
        begins.append(
            event.details["from"] if event.action == Action.AUDIT_PRUNED else event.happened_at.isoformat()
        )
    last = max(event.happened_at for event in events)
    return {"counts": dict(counts), "from": min(begins), "to": last.isoformat()}

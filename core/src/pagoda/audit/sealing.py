"""Sealing: what was committed lately becomes a link of the hash chain.

Writers don't wait for each other: an event is one INSERT, and joins the chain here, within seconds.
"""

from __future__ import annotations

import structlog
from django.db import IntegrityError, connection, transaction

from pagoda.audit.hashing import gaps, seal_hash
from pagoda.audit.models import AuditEvent, AuditSeal, PendingEvent

BATCH = 1000
"""Events of one seal at most."""

log = structlog.get_logger(__name__)


def seal_all() -> int:
    """Seal everything that is committed and not sealed; return how many events that were.

    Any number of processes may do it: who comes second with a link leaves it to the first.
    """
    sealed = 0
    while count := _seal_batch():
        sealed += count
    return sealed


def _seal_batch() -> int:
    if not PendingEvent.objects.exists():
        return 0
    try:
        with transaction.atomic():
            return _add_seal()
    except IntegrityError:  # another process has added the seal of this number
        return 0


def _add_seal() -> int:
    ids = _take_pending()
    if not ids:
        return 0
    events = [event.to_json() for event in AuditEvent.objects.filter(pk__in=ids).order_by("pk")]
    found = [event["id"] for event in events]
    PendingEvent.objects.filter(pk__in=ids).delete()
    if vanished := sorted(set(ids).difference(found)):
        # Nobody but who forces the database can have done that: verifying names them from now on.
        log.error("audit_events_vanished", event_ids=vanished)
    seal = _next_seal(sorted(ids), highest=max(found, default=0))
    seal.hash = seal_hash(seal, events)
    seal.save(force_insert=True)
    # The log is kept elsewhere than the database: who rewrites the whole chain has to rewrite it, too.
    transaction.on_commit(
        lambda: log.info("audit_sealed", number=seal.number, hash=seal.hash, events=len(found))
    )
    return len(ids)


def _next_seal(ids: list[int], *, highest: int) -> AuditSeal:
    """Return the link after the last one; it notes the ids up to `highest` that no event has.

    A write that is rolled back leaves such an id. An event that commits late is sealed when it does.
    """
    last = AuditSeal.objects.order_by("-number").first()
    after = 0 if last is None else last.reach
    there = AuditEvent.objects.filter(pk__gt=after, pk__lte=highest).order_by("pk")
    return AuditSeal(
        number=1 if last is None else last.number + 1,
        previous_hash="" if last is None else last.hash,
        event_ids=ids,
        up_to=max(after, highest),
        absent=gaps(there.values_list("pk", flat=True), after),
    )


def _take_pending() -> list[int]:
    pending = PendingEvent.objects.order_by("pk")
    if connection.vendor == "postgresql":
        pending = pending.select_for_update(skip_locked=True)
    return list(pending.values_list("pk", flat=True)[:BATCH])

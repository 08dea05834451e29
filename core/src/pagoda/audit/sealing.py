"""Sealing: what was committed lately becomes a link of the hash chain.

Writers don't wait for each other: an event is one INSERT, and joins the chain here, within seconds.
"""

from __future__ import annotations

import structlog
from django.db import IntegrityError, connection, transaction

from pagoda.audit.hashing import seal_hash
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
    last = AuditSeal.objects.order_by("-number").values_list("number", "hash").first()
    number, previous_hash = (last[0] + 1, last[1]) if last is not None else (1, "")
    events = [event.to_json() for event in AuditEvent.objects.filter(pk__in=ids).order_by("pk")]
    found = [event["id"] for event in events]
    PendingEvent.objects.filter(pk__in=ids).delete()
    if not found:
        return len(ids)
    hashed = seal_hash(number, previous_hash, events)
    AuditSeal(number=number, previous_hash=previous_hash, event_ids=found, hash=hashed).save(
        force_insert=True
    )
    # The log is kept elsewhere than the database: who rewrites the whole chain has to rewrite it, too.
    transaction.on_commit(lambda: log.info("audit_sealed", number=number, hash=hashed, events=len(found)))
    return len(ids)


def _take_pending() -> list[int]:
    pending = PendingEvent.objects.order_by("pk")
    if connection.vendor == "postgresql":
        pending = pending.select_for_update(skip_locked=True)
    return list(pending.values_list("pk", flat=True)[:BATCH])

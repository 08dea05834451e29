"""Verifying: every seal is computed again from the events that it names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pagoda.audit.hashing import seal_hash
from pagoda.audit.models import AuditEvent, AuditSeal


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What verifying found."""

    events: int  # that are there
    seals: int
    head: str  # the last good seal, "number:hash", "" without any
    unsealed: tuple[int, ...]  # events that no seal covers: the latest ones, or some hidden from sealing
    fault: str | None  # the first thing that is wrong, None when all is as it was written


def verify(expected_head: str | None = None) -> Verification:
    """Compute the chain again; `expected_head` ("number:hash", from a log) must be part of it."""
    known = dict(AuditEvent.objects.values_list("pk", "action"))
    unsealed = set(known)
    head, seals, fault = "", 0, None
    missing_head = expected_head or ""
    for seal in _seals():
        seals += 1
        fault = _fault(seal, head, unsealed, known)
        if fault is not None:
            break
        head = f"{seal.number}:{seal.hash}"
        missing_head = "" if head == missing_head else missing_head
        unsealed.difference_update(seal.event_ids)
    if fault is None and missing_head:
        fault = (
            f"seal {missing_head!r} is not in the chain, which ends in {head!r}: "
            "seals were removed or rewritten"
        )
    return Verification(
        events=len(known), seals=seals, head=head, unsealed=tuple(sorted(unsealed)), fault=fault
    )


def _seals() -> Iterator[AuditSeal]:
    yield from AuditSeal.objects.order_by("number").iterator(chunk_size=200)


def _fault(seal: AuditSeal, head: str, unsealed: set[int], known: dict[int, str]) -> str | None:
    before, _, previous_hash = head.partition(":")
    number = int(before or 0) + 1
    if seal.number != number:
        return f"seal {number} is missing: after seal {number - 1} comes seal {seal.number}"
    if seal.previous_hash != previous_hash:
        return f"seal {number} does not follow seal {number - 1}: it names another predecessor's hash"
    for event_id in seal.event_ids:
        if event_id not in known:
            return f"event {event_id} is missing: seal {number} covers it"
        if event_id not in unsealed:
            return f"event {event_id} is covered twice, by seal {number} for the second time"
    if seal.hash != seal_hash(number, previous_hash, _events(seal.event_ids)):
        return f"seal {number} does not match: one of the events {_span(seal.event_ids)} was changed since"
    return None


def _events(ids: Sequence[int]) -> list[dict[str, object]]:
    found = AuditEvent.objects.in_bulk(ids)
    return [found[pk].to_json() for pk in ids]


def _span(ids: Sequence[int]) -> str:
    return f"{ids[0]}" if len(ids) == 1 else f"{ids[0]} to {ids[-1]}"

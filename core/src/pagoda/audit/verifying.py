"""Verifying: every seal is computed again from the events that it names, and every id is accounted for."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.utils import timezone

from pagoda.audit.actions import Action
from pagoda.audit.hashing import Ranges, gaps, seal_hash
from pagoda.audit.models import AuditEvent, AuditSeal

SEALED_WITHIN = timedelta(minutes=1)
"""The dispatcher takes about a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What verifying found."""

    events: int  # that are there
    seals: int
    head: str  # the last good seal, "number:hash", "" without any
    unsealed: tuple[int, ...]  # the latest events, that no seal covers yet
    fault: str | None  # the first thing that is wrong, None when all is as it was written


def verify(expected_head: str | None = None) -> Verification:
    """Compute the chain again; `expected_head` ("number:hash", from a log) must be part of it."""
    # The seals before the events, which go on being written: whatever these seals cover is there then.
    last = AuditSeal.objects.order_by("-number").values_list("number", flat=True).first() or 0
    known = dict(AuditEvent.objects.order_by("pk").values_list("pk", "happened_at"))
    walk = _Walk(last=last, unsealed=set(known), ids=list(known))
    fault = walk.fault() or walk.gap()
    if fault is None and expected_head and expected_head not in walk.heads:
        fault = (
            f"seal {expected_head!r} is not in the chain, which ends in {walk.head!r}: "
            "seals were removed or rewritten"
        )
    for ids in AuditSeal.objects.filter(number__gt=last).values_list("event_ids", flat=True):
        walk.unsealed.difference_update(ids)  # sealed meanwhile
    overdue = [pk for pk in sorted(walk.unsealed) if known[pk] < timezone.now() - SEALED_WITHIN]
    if fault is None and overdue:
        fault = (
            f"{len(overdue)} event(s) have waited for a seal for longer than a minute, event {overdue[0]} "
            "first: they were hidden from sealing, or no dispatcher runs and `pagoda audit seal` is due"
        )
    return Verification(
        events=len(known),
        seals=walk.seals,
        head=walk.head,
        unsealed=tuple(sorted(walk.unsealed)),
        fault=fault,
    )


@dataclass(slots=True, kw_only=True)
class _Walk:
    """A walk along the chain, seal by seal."""

    last: int  # number of the seal where it ends
    unsealed: set[int]
    ids: Sequence[int]  # of all events, in order
    head: str = ""
    heads: set[str] = field(default_factory=set)
    seals: int = 0
    floor: int | None = None  # ids above it are accounted for
    reach: int = 0  # up to here
    absent: Ranges = field(default_factory=list)

    def fault(self) -> str | None:
        """Return the first thing that is wrong with a seal, None when all are right."""
        for seal in AuditSeal.objects.filter(number__lte=self.last).order_by("number").iterator():
            if not self.seals and seal.number > 1:
                self._begin_after_pruned(seal.number - 1)
            self.seals += 1
            if (fault := self._fault_of(seal)) is not None:
                return fault
            self._pass(seal)
        return None

    def gap(self) -> str | None:
        """Return an event that is not there though no seal says so, None when every id is accounted for."""
        if self.floor is None:
            return None
        floor, noted = self.floor, deque(sorted(self.absent))
        ids = [pk for pk in self.ids if floor < pk <= self.reach]
        for first, last in gaps([*ids, self.reach + 1], floor):
            missing = first
            while noted and noted[0][1] < last:
                first_noted, last_noted = noted.popleft()
                if first_noted <= missing <= last_noted:
                    missing = last_noted + 1
            if missing <= last and not (noted and noted[0][0] <= missing):
                return f"event {missing} is missing: it was there when its neighbours were sealed"
        return None

    def _begin_after_pruned(self, number: int) -> None:
        """Begin where the summary of what was pruned ends; without one the first seal is at fault."""
        for pruned in AuditEvent.objects.filter(action=Action.AUDIT_PRUNED).order_by("-pk"):
            if pruned.details.get("seal") == number:
                self.head = f"{number}:{pruned.details['hash']}"
                self.floor = self.reach = pruned.details["up_to"]
                self.heads.add(self.head)
                return

    def _fault_of(self, seal: AuditSeal) -> str | None:
        before, _, previous_hash = self.head.partition(":")
        number = int(before or 0) + 1
        if seal.number != number:
            return f"seal {number} is missing: after seal {number - 1} comes seal {seal.number}"
        if seal.previous_hash != previous_hash:
            return f"seal {number} does not follow seal {number - 1}: it names another predecessor's hash"
        found = AuditEvent.objects.in_bulk(seal.event_ids)
        for event_id in seal.event_ids:
            if event_id not in found:
                return f"event {event_id} is missing: seal {number} covers it"
            if event_id not in self.unsealed:
                return f"event {event_id} is covered twice, by seal {number} for the second time"
        if seal.hash != seal_hash(seal, (found[pk].to_json() for pk in seal.event_ids)):
            return f"seal {number} does not match: {_span(seal.event_ids)} was changed since, or the seal was"
        return None

    def _pass(self, seal: AuditSeal) -> None:
        if seal.up_to is not None and self.floor is None:
            self.floor = self.reach
        self.reach = max(self.reach, seal.reach)
        self.absent += seal.absent
        self.head = f"{seal.number}:{seal.hash}"
        self.heads.add(self.head)
        self.unsealed.difference_update(seal.event_ids)


def _span(ids: Sequence[int]) -> str:
    return f"event {ids[0]}" if len(ids) == 1 else f"one of the events {ids[0]} to {ids[-1]}"

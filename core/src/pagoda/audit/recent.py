"""What lately became of entities and entries, for everybody who may read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet

from pagoda.audit.models import AuditEvent
from pagoda.domain.access import readable
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.permissions import Viewer

_LOOKED_AT: Final = 200
"""Events, the newest: whoever may read none of what they are about is shown none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentChange:
    """Something that was done to an entity or an entry."""

    happened_at: datetime
    action: str  # such as "entry.updated"
    actor: str  # a user's name, "job" or "host"
    plugin: str  # whose code did it, "" for the host's
    subject_type: str  # "entity" or "entry"
    subject_id: int
    subject: str  # its name now


def recent_changes(user: Viewer | None, count: int) -> Sequence[RecentChange]:
    """Return the newest changes of what `user` may read, at most `count` of the last 200; three queries."""
    events = list(
        AuditEvent.objects.filter(subject_type__in=("entity", "entry")).order_by("-pk")[:_LOOKED_AT]
    )
    rows: dict[str, QuerySet[Any]] = {"entity": Entity.objects.order_by(), "entry": Entry.objects.order_by()}
    names = {
        kind: dict(readable(every, user).filter(pk__in=_ids(events, kind)).values_list("pk", "name"))
        for kind, every in rows.items()
    }
    found = [
        RecentChange(
            happened_at=event.happened_at,
            action=event.action,
            actor=event.on_behalf_of or event.actor,
            plugin=event.plugin,
            subject_type=event.subject_type,
            subject_id=int(event.subject_id),
            subject=names[event.subject_type][int(event.subject_id)],
        )
        for event in events
        if event.subject_id.isdecimal() and int(event.subject_id) in names[event.subject_type]
    ]
    return found[:count]


def _ids(events: Sequence[AuditEvent], kind: str) -> set[int]:
    return {
        int(each.subject_id) for each in events if each.subject_type == kind and each.subject_id.isdecimal()
    }

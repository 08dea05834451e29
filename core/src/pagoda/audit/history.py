"""One history of an entity or an entry, for whoever may read it: what changed, who did it, through what.

It is read out of what is kept anyway: the versions of values, the former states of own fields, and, of the
making of a thing, its audit event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db.models import CharField, F, OuterRef, QuerySet, Subquery
from django.db.models import Value as Constant

from pagoda.audit.models import AuditEvent
from pagoda.domain.access import readable
from pagoda.domain.entity.models import Entity, EntityAttr, FormerState
from pagoda.domain.entry.history import value_of, versions_of
from pagoda.domain.entry.models import AttributeValue, Entry
from pagoda.domain.user.models import User
from pagoda.domain.user.permissions import Viewer
from pagoda_plugin_sdk.rules.attr_types import AttrType

OWN_FIELDS: Final = ("name", "note")
KINDS: Final = (
    "created", "changed", "deleted", "restored", "value",
    "attribute_added", "attribute_changed", "attribute_removed", "attribute_restored",
)  # fmt: skip

type Rows = QuerySet[Any, tuple[Any, ...]]  # Any: of several models


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryItem:
    """One thing that became of it."""

    kind: str  # one of `KINDS`
    at: datetime
    user: User | None  # None: the host, or somebody who was removed
    plugin: str  # whose code did it, "" for the host's
    job_id: int | None
    attr: EntityAttr | None = None
    version: AttributeValue | None = None  # of a value
    changes: Mapping[str, tuple[Any, Any]] = field(
        default_factory=dict
    )  # Any: what was, and is then, by name

    @property
    def value(self) -> Any:  # Any: JSON of the attribute's type
        """The value that a version has."""
        return None if self.version is None else value_of(self.version)


class History:
    """A history as `user` may see it, the newest first; a page of it takes a bounded number of queries."""

    def __init__(self, subject: Entity | Entry, user: Viewer | None) -> None:
        self._subject = subject
        entity_id = subject.schema_id if isinstance(subject, Entry) else subject.pk
        self._attrs = readable(EntityAttr.objects.filter(parent_entity=entity_id).order_by(), user)
        self._states = FormerState.objects.filter(subject_type=subject.SUBJECT, subject_id=subject.pk)
        self._versions: QuerySet[AttributeValue] | None = None
        if isinstance(subject, Entry):
            self._versions = versions_of(subject, user)
        else:
            of_attrs = FormerState.objects.filter(
                subject_type="attr", subject_id__in=self._attrs.values("pk")
            )
            self._states = self._states.order_by() | of_attrs.order_by()

    def count(self) -> int:
        """Return how many items there are."""
        return self._keys().count()

    def __getitem__(self, page: slice) -> list[HistoryItem]:
        keys = [*self._keys().order_by("-row_at", "-row_kind", "-row_id")[page]]
        of_kind = {kind: [pk for _, each, pk in keys if each == kind] for kind in ("state", "value")}
        items = self._items_of_states(of_kind["state"])
        if self._versions is not None and of_kind["value"]:
            items |= {
                ("value", each.pk): _of_version(each)
                for each in self._versions.filter(pk__in=of_kind["value"])
            }
        if old := [pk for _, kind, pk in keys if kind == "attr"]:
            attrs = self._attrs.select_related("created_user").filter(pk__in=old)
            items |= {("attr", attr.pk): _of_addition(attr) for attr in attrs}
        items |= {(kind, pk): self._of_creation() for _, kind, pk in keys if kind == "created"}
        return [items[kind, pk] for _, kind, pk in keys if (kind, pk) in items]

    def _keys(self) -> Rows:
        made = type(self._subject).objects.filter(pk=self._subject.pk).order_by()
        others = [_keyed(self._states.order_by(), "until", "state")]
        if self._versions is not None:
            others.append(_keyed(self._versions.order_by().select_related(None), "created_time", "value"))
        else:  # of an earlier release, which kept no state of what was not there before
            added = FormerState.objects.filter(subject_type="attr", more__added=1).values("subject_id")
            others.append(_keyed(self._attrs.exclude(pk__in=added), "created_time", "attr"))
        return _keyed(made, "created_time", "created").union(*others, all=True)

    def _items_of_states(self, ids: Sequence[int]) -> dict[tuple[str, int], HistoryItem]:
        if not ids:
            return {}
        later = FormerState.objects.filter(
            subject_type=OuterRef("subject_type"), subject_id=OuterRef("subject_id"), pk__gt=OuterRef("pk")
        ).order_by("pk")
        rows = FormerState.objects.filter(pk__in=ids).select_related("created_user")
        states = [*rows.annotate(next_id=Subquery(later.values("pk")[:1]))]
        successors = FormerState.objects.in_bulk({vars(each)["next_id"] for each in states} - {None})
        attrs = self._attrs.in_bulk({each.subject_id for each in states if each.subject_type == "attr"})
        items = {}
        for each in states:
            attr = attrs.get(each.subject_id) if each.subject_type == "attr" else None
            after = successors.get(vars(each)["next_id"]) or attr or self._subject
            items["state", each.pk] = _of_state(each, after, attr)
        return items

    def _of_creation(self) -> HistoryItem:
        subject = self._subject
        event = AuditEvent.objects.filter(
            subject_type=subject.SUBJECT, subject_id=str(subject.pk), action=f"{subject.SUBJECT}.created"
        ).first()
        return HistoryItem(
            kind="created",
            at=subject.created_time,
            user=subject.created_user,
            plugin=event.plugin if event else "",
            job_id=event.job_id if event else None,
        )


def _keyed(rows: QuerySet[Any], moment: str, kind: str) -> Rows:  # Any: each of several models
    named = Constant(kind, output_field=CharField())
    keyed: Rows = rows.annotate(row_at=F(moment), row_kind=named, row_id=F("pk")).values_list(
        "row_at", "row_kind", "row_id"
    )
    return keyed


def _of_version(version: AttributeValue) -> HistoryItem:
    return HistoryItem(
        kind="value",
        at=version.created_time,
        user=version.created_user,
        plugin=version.plugin,
        job_id=version.job_id,
        attr=version.parent_attr.schema,
        version=version,
    )


def _of_addition(attr: EntityAttr) -> HistoryItem:
    user = attr.created_user
    return HistoryItem(
        kind="attribute_added", at=attr.created_time, user=user, plugin="", job_id=None, attr=attr
    )


def _of_state(
    state: FormerState, after: FormerState | Entity | Entry | EntityAttr, attr: EntityAttr | None
) -> HistoryItem:
    is_added = "added" in state.more
    names = [*OWN_FIELDS, *(name for name in state.more if name != "added")]
    pairs = {name: (_shown(name, _field(state, name)), _shown(name, _field(after, name))) for name in names}
    if state.is_active == after.is_active:
        done = "changed"
    elif state.is_active:
        done = "removed" if attr else "deleted"
    else:
        done = "added" if is_added else "restored"
    return HistoryItem(
        kind=f"attribute_{done}" if attr else done,
        at=state.until,
        user=state.created_user,
        plugin=state.plugin,
        job_id=state.job_id,
        attr=attr,
        changes={
            name: (None if is_added else was, now)
            for name, (was, now) in pairs.items()
            if is_added or was != now
        },
    )


def _field(row: FormerState | Entity | Entry | EntityAttr, name: str) -> Any:  # Any: JSON
    return (
        row.more.get(name) if isinstance(row, FormerState) and name not in OWN_FIELDS else getattr(row, name)
    )


def _shown(name: str, value: Any) -> Any:  # Any: JSON
    return AttrType(value).type_name if name == "type" and value is not None else value

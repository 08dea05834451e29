"""Entries as they were at a time: their names, notes and values of then, with the rights of now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from django.db.models import BooleanField, F, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from pagoda.domain.entity.models import Entity, EntityAttr, FormerState
from pagoda.domain.entry.lookups import Lookups, ThingKind, level_on
from pagoda.domain.entry.models import AttributeValue, Entry
from pagoda.domain.entry.reading import Definitions, definition_of, from_history
from pagoda.domain.entry.storing import links_in, values_in
from pagoda.domain.user.models import Level
from pagoda.domain.user.permissions import Viewer
from pagoda_plugin_sdk.rules.state import EntryState, LinkTarget

_DEFINING: Final = ("is_mandatory", "index", "default_value", "choices")


def existing_at[M: (Entity, Entry)](
    rows: QuerySet[M], at: datetime, *, is_active: bool | None = None
) -> QuerySet[M]:
    """Return those of `rows` that had been made by then, for `as_of`, with ``was_active``.

    With `is_active` those that stood then, or were deleted.
    """
    subject = rows.model.SUBJECT
    former = FormerState.objects.filter(subject_type=subject, subject_id=OuterRef("pk"), until__gt=at)
    first = former.order_by("pk")
    was_active = Coalesce(
        Subquery(first.values("is_active")[:1]), F("is_active"), output_field=BooleanField()
    )
    made = rows.filter(created_time__lte=at)
    found = made.annotate(former_id=Subquery(first.values("pk")[:1]), was_active=was_active)
    return found if is_active is None else found.filter(was_active=is_active)


def as_of(entries: Sequence[Entry], at: datetime, viewer: Viewer | None) -> dict[int, EntryState]:
    """Give entries of `existing_at` the fields of then, and return their attributes of then by id.

    What `viewer` may not see is left out, see `read_states`. Whoever has an attribute now is who had it then;
    one that was removed since is there. The number of queries does not grow with the entries.
    """
    if not entries:
        return {}
    former = FormerState.objects.in_bulk({vars(each)["former_id"] for each in entries} - {None})
    for entry in entries:
        was = former.get(vars(entry)["former_id"], entry)
        entry.name, entry.note, entry.is_active = was.name, was.note, was.is_active
    definitions = _definitions({entry.schema_id for entry in entries}, at, viewer)
    types = {each.id: each.type for of_entity in definitions.values() for each in of_entity}
    current = from_history([entry.pk for entry in entries], at, types)
    wanted = {link for each in entries for link in links_in(definitions[each.schema_id], current[each.pk])}
    lookups = Lookups(viewer)
    lookups.look_up(wanted)
    targets = _of_then(lookups.found, at)
    _stamp(entries, definitions, at)
    return {
        entry.pk: EntryState(
            definitions=definitions[entry.schema_id],
            values=values_in(definitions[entry.schema_id], current[entry.pk], targets),
            viewer=viewer,
        )
        for entry in entries
    }


def _definitions(entity_ids: Iterable[int], at: datetime, viewer: Viewer | None) -> dict[int, Definitions]:
    level = level_on(viewer, "attr", "parent_entity__")
    rows = EntityAttr.objects.filter(parent_entity__in=entity_ids, created_time__lte=at).annotate(
        user_level=level
    )
    attrs = {attr.pk: attr for attr in rows}
    former = first_states("attr", attrs, at)
    found: dict[int, list[Any]] = {each: [] for each in entity_ids}
    for pk, attr in attrs.items():
        was = former.get(pk)
        if was is not None:
            attr.name, attr.is_active, attr.type = was.name, was.is_active, was.more["type"]
            for name in _DEFINING:
                setattr(attr, name, was.more[name])
        if attr.is_active:
            found[attr.parent_entity_id].append(
                replace(definition_of(attr), level=Level(vars(attr)["user_level"]))
            )
    return {pk: tuple(sorted(each, key=lambda one: (one.index, one.id))) for pk, each in found.items()}


def _of_then(
    targets: Mapping[tuple[ThingKind, int], LinkTarget], at: datetime
) -> dict[tuple[ThingKind, int], LinkTarget]:
    former = first_states("entry", [pk for kind, pk in targets if kind is ThingKind.ENTRY], at)
    of_then = dict(targets)
    for pk, was in former.items():
        key = (ThingKind.ENTRY, pk)
        of_then[key] = replace(targets[key], name=was.name, is_active=was.is_active)
    return of_then


def first_states(subject: str, ids: Iterable[int], at: datetime) -> dict[int, FormerState]:
    """Return what things were at a time, by id; which are not in it are as they are now."""
    rows = FormerState.objects.filter(subject_type=subject, subject_id__in=[*ids], until__gt=at)
    found: dict[int, FormerState] = {}
    for row in rows.order_by("pk"):
        found.setdefault(row.subject_id, row)
    return found


def _stamp(entries: Sequence[Entry], definitions: Mapping[int, Definitions], at: datetime) -> None:
    """Give entries the time of the last change by then that is shown."""
    ids = [entry.pk for entry in entries]
    seen = [
        each.id for of_entity in definitions.values() for each in of_entity if each.level >= Level.READABLE
    ]
    values = AttributeValue.objects.filter(
        parent_entry__in=ids, created_time__lte=at, parent_attr__schema__in=seen
    )
    own = FormerState.objects.filter(subject_type="entry", subject_id__in=ids, until__lte=at)
    times = dict(values.order_by().values_list("parent_entry").annotate(Max("created_time")))
    of_own = dict(own.order_by().values_list("subject_id").annotate(Max("until")))
    for entry in entries:
        last = [each[entry.pk] for each in (times, of_own) if entry.pk in each]
        entry.updated_time = max([entry.created_time, *last])

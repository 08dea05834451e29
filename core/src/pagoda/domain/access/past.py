"""Entities as they were at a time: their own fields and attributes of then, with the rights of now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from django.db.models import Max

from pagoda.domain.access.querysets import AttrInfo, described, readable, shown_attributes
from pagoda.domain.entity.models import Entity, EntityAttr, FormerState
from pagoda.domain.entry.past import first_states
from pagoda.domain.user.permissions import Viewer

_OWN: Final = ("name", "note", "is_active")


def entities_as_of(entities: Sequence[Entity], at: datetime, user: Viewer | None) -> dict[int, AttrInfo]:
    """Give entities of `existing_at` the fields of then, and return their attributes of then by id.

    In the shape of `entity_attrinfo_for`. Whoever may read an attribute now is who sees it; one that was
    removed since is there. Where references may lead (``referral``) is as it is now: no history keeps it.
    The number of queries does not grow with the entities.
    """
    attrs = readable(EntityAttr.objects.filter(created_time__lte=at), user)
    rows = [*shown_attributes(attrs, entities, user)]
    former = first_states("attr", [attr.pk for attr in rows], at)
    for attr in rows:
        _go_back(attr, former.get(attr.pk))
    of_own = first_states("entity", [entity.pk for entity in entities], at)
    last = _last_changes(entities, rows, at)
    found: dict[int, AttrInfo] = {}
    for entity in entities:
        _go_back(entity, of_own.get(entity.pk))
        entity.updated_time = max(entity.created_time, last.get(entity.pk, entity.created_time))
        own = [attr for attr in rows if attr.parent_entity_id == entity.pk and attr.is_active]
        found[entity.pk] = [described(attr) for attr in sorted(own, key=lambda one: (one.index, one.pk))]
    return found


def _go_back(row: Entity | EntityAttr, was: FormerState | None) -> None:
    if was is not None:
        fields = {name: getattr(was, name) for name in _OWN} | {**was.more}
        for name in fields.keys() - {"added"}:
            setattr(row, name, fields[name])


def _last_changes(
    entities: Sequence[Entity], attrs: Sequence[EntityAttr], at: datetime
) -> Mapping[int, datetime]:
    """Return when something of each entity was last changed by then that is shown."""
    entity_of = {attr.pk: attr.parent_entity_id for attr in attrs}
    last: dict[int, datetime] = {}
    for subject, owners in (("entity", {each.pk: each.pk for each in entities}), ("attr", entity_of)):
        rows = FormerState.objects.filter(subject_type=subject, subject_id__in=[*owners], until__lte=at)
        for pk, until in rows.order_by().values_list("subject_id").annotate(Max("until")):
            last[owners[pk]] = max(until, last.get(owners[pk], until))
    return last

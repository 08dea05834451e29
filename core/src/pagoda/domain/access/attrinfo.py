"""Attributes as a user may see them: what the API shows and the get_attrs hooks filter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db.models import Prefetch

from pagoda.domain.access.querysets import readable
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.reading import read_states
from pagoda.domain.user.permissions import Viewer, viewer
from pagoda_plugin_sdk.rules.value_types import attrinfo_of

type AttrInfo = list[dict[str, Any]]  # Any: JSON values


def attrinfo_for(entries: Sequence[Entry], user: Viewer | None) -> dict[int, AttrInfo]:
    """Return the attributes of each entry by its id, as `user` may see them, in one query.

    Each is ``{"id", "name", "type", "value", "is_mandatory", "is_readable"}``, in the entity's order. What
    `user` may not read is left out: attributes, and references to entries.
    """
    states = read_states(entries, viewer(user))
    return {entry_id: attrinfo_of(state) for entry_id, state in states.items()}


def attrinfo_after_write(entry: Entry, user: Viewer | None) -> AttrInfo:
    """Return the attributes of an `entry` that a write service has just returned.

    No query when `user` did the write and no hook wrote afterwards; one query otherwise.
    """
    state = entry.known_state
    if state is not None and state.viewer is not None and state.viewer == user:
        return attrinfo_of(state)
    return attrinfo_for([entry], user)[entry.pk]


def entity_attrinfo(entity: Entity, user: Viewer | None) -> AttrInfo:
    """Return the attributes of one entity, see `entity_attrinfo_for`."""
    return entity_attrinfo_for([entity], user)[entity.pk]


def entity_attrinfo_for(entities: Sequence[Entity], user: Viewer | None) -> dict[int, AttrInfo]:
    """Return the attributes of each entity by its id, as `user` may see them, in two queries.

    Each has id, name, type (its name), is_mandatory, is_readable, index, is_summarized, is_indexed,
    is_delete_in_chain, on_delete, note, default_value, choices and referral (``[{"id", "name"}]`` of the
    entities that `user` may read).
    """
    allowed = readable(Entity.objects.active(), user)
    attrs = readable(EntityAttr.objects.active(), user).filter(
        parent_entity__in=[each.pk for each in entities]
    )
    by_entity: defaultdict[int, AttrInfo] = defaultdict(list)
    for attr in attrs.order_by("index", "pk").prefetch_related(Prefetch("referral", queryset=allowed)):
        by_entity[attr.parent_entity_id].append(_described(attr))
    return {entity.pk: by_entity[entity.pk] for entity in entities}


def _described(attr: EntityAttr) -> dict[str, Any]:
    return {
        "id": attr.pk,
        "name": attr.name,
        "type": attr.attr_type.type_name,
        "is_mandatory": attr.is_mandatory,
        "is_readable": True,
        "index": attr.index,
        "is_summarized": attr.is_summarized,
        "is_indexed": attr.is_indexed,
        "is_delete_in_chain": attr.is_delete_in_chain,
        "on_delete": attr.on_delete,
        "note": attr.note,
        "default_value": attr.get_default_value(),
        "choices": attr.choices,
        "referral": [{"id": entity.pk, "name": entity.name} for entity in attr.referral.all()],
    }

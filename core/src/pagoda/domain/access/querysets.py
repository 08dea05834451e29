"""What a user may see: rows, chosen by the database, and their attributes, as get_attrs hooks filter them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from django.db.models import IntegerField, Model, OuterRef, Prefetch, QuerySet, Subquery
from django.db.models.functions import Least

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.reading import read_states
from pagoda.domain.user.models import Level
from pagoda.domain.user.permissions import Kind, Viewer, fixed_level, level_of, may, viewer
from pagoda_plugin_sdk.rules.value_types import attrinfo_of

type AttrInfo = list[dict[str, Any]]  # Any: JSON values

# What must allow it, for each model: itself and what it belongs to.
_CHAINS: Final[dict[type[Model], tuple[tuple[Kind, str], ...]]] = {
    Entity: (("entity", ""),),
    EntityAttr: (("attr", ""), ("entity", "parent_entity__")),
    Entry: (("entry", ""), ("entity", "schema__")),
}


def readable_with_levels[M: Model](queryset: QuerySet[M], user: Viewer | None) -> Iterator[tuple[M, int]]:
    """Yield the rows that `user` may read with the level on each, in one query; None: the host, with all.

    Raises:
        TypeError: see `readable`.
    """
    chain = _chain(queryset.model)
    levels = [level_of(user, kind, prefix) for kind, prefix in chain]
    level = Least(*levels, output_field=IntegerField()) if len(levels) > 1 else levels[0]
    for row in queryset.annotate(user_level=level).filter(user_level__gte=Level.READABLE):
        yield row, vars(row)["user_level"]


def readable[M: Model](
    queryset: QuerySet[M], user: Viewer | None, level: int = Level.READABLE
) -> QuerySet[M]:
    """Return the rows on which `user` (None: nobody is logged in) has `level`, without any query more.

    Raises:
        TypeError: permissions are not granted on rows of this model.
    """
    chain = _chain(queryset.model)
    user = viewer(user)
    if fixed_level(user) == Level.FULL:
        return queryset
    for kind, prefix in chain:
        queryset = queryset.filter(may(user, level, kind, prefix))
    return queryset


def count_entries(entity_ids: Collection[int], user: Viewer | None, most: int) -> dict[int, int]:
    """Return how many active entries of each entity `user` may read, in one query.

    It stops counting behind `most`: one more than that means "more than".
    """
    entries = readable(Entry.objects.active().filter(schema=OuterRef("pk")).order_by(), user)
    counted = _CountOf(entries.values("pk")[: most + 1], output_field=IntegerField())
    return dict(Entity.objects.filter(pk__in=entity_ids).order_by().values_list("pk", counted))


def referring_attributes(entity: Entity, user: Viewer | None) -> QuerySet[EntityAttr]:
    """Return the attributes of other entities that name `entity` as one whose entries they point to.

    Those that `user` may not read are left out, and so is what was removed.
    """
    others = EntityAttr.objects.active().filter(referral=entity, parent_entity__is_active=True)
    seen = readable(others.exclude(parent_entity=entity).select_related("parent_entity"), user)
    return seen.order_by("parent_entity__name", "index", "pk")


class _CountOf(Subquery):
    """How many rows a query has that may be limited."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"


def _chain(model: type[Model]) -> tuple[tuple[Kind, str], ...]:
    chain = _CHAINS.get(model)
    if chain is None:
        listed = ", ".join(known._meta.label for known in _CHAINS)
        raise TypeError(f"{model._meta.label} has no permissions of its own; it has to be one of {listed}")
    return chain


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
    by_entity: defaultdict[int, AttrInfo] = defaultdict(list)
    for attr in shown_attributes(readable(EntityAttr.objects.active(), user), entities, user):
        by_entity[attr.parent_entity_id].append(described(attr))
    return {entity.pk: by_entity[entity.pk] for entity in entities}


def shown_attributes(
    attrs: QuerySet[EntityAttr], entities: Sequence[Entity], user: Viewer | None
) -> QuerySet[EntityAttr]:
    """Return those of `attrs` that are of the entities, in order, with the targets that `user` may read."""
    allowed = readable(Entity.objects.active(), user)
    own = attrs.filter(parent_entity__in=[each.pk for each in entities])
    return own.order_by("index", "pk").prefetch_related(Prefetch("referral", queryset=allowed))


def described(attr: EntityAttr) -> dict[str, Any]:
    """Return what is shown of an attribute of `shown_attributes`."""
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

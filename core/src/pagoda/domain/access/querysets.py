"""Rows that a user may see, chosen by the database."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from django.contrib.auth.models import AnonymousUser
from django.db.models import IntegerField, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Least

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level
from pagoda.domain.user.permissions import Kind, Viewer, fixed_level, level_of, may

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
    user = AnonymousUser() if user is None else user
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


class _CountOf(Subquery):
    """How many rows a query has that may be limited."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"


def _chain(model: type[Model]) -> tuple[tuple[Kind, str], ...]:
    chain = _CHAINS.get(model)
    if chain is None:
        listed = ", ".join(known._meta.label for known in _CHAINS)
        raise TypeError(f"{model._meta.label} has no permissions of its own; it has to be one of {listed}")
    return chain

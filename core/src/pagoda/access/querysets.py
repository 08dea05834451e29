"""Rows that a user may see, chosen by the database."""

from __future__ import annotations

from typing import Final

from django.db.models import Model, QuerySet

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level
from pagoda.domain.user.permissions import Kind, Viewer, may, viewer

# What must allow it, for each model: itself and what it belongs to.
_CHAINS: Final[dict[type[Model], tuple[tuple[Kind, str], ...]]] = {
    Entity: (("entity", ""),),
    EntityAttr: (("attr", ""), ("entity", "parent_entity__")),
    Entry: (("entry", ""), ("entity", "schema__")),
}


def readable[M: Model](
    queryset: QuerySet[M], user: Viewer | None, level: int = Level.READABLE
) -> QuerySet[M]:
    """Return the rows on which `user` (None: nobody is logged in) has `level`, without any query more.

    Raises:
        TypeError: permissions are not granted on rows of this model.
    """
    chain = _CHAINS.get(queryset.model)
    if chain is None:
        listed = ", ".join(model._meta.label for model in _CHAINS)
        raise TypeError(
            f"{queryset.model._meta.label} has no permissions of its own; it has to be one of {listed}"
        )
    for kind, prefix in chain:
        queryset = queryset.filter(may(viewer(user), level, kind, prefix))
    return queryset

"""What goes with an entity that is deleted, and what is in the way, as the API tells it."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any, Final

from django.db.models import Case, Q, QuerySet, When
from rest_framework import serializers

from pagoda.domain.access.querysets import count_entries, referring_attributes
from pagoda.domain.entity.models import Entity
from pagoda.domain.entity.services import why_not_deleted
from pagoda.domain.search.models import SavedSearch, saved_searches
from pagoda.domain.user.models import User
from pagoda.domain.user.permissions import viewer
from pagoda_api.fields import NamedSerializer, UserSerializer
from pagoda_plugin_sdk.rules.text import clean_name, spellings

MOST_COUNTED: Final = 10_000
MOST_LISTED: Final = 100
MOST_SEARCHES: Final = 1_000
"""Saved searches that are looked at, of those in whose entities the id or the name stands somewhere."""


class ReferringAttributeSerializer(serializers.Serializer[Any]):
    """An attribute of another entity; Any, as it is shown and never made."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    entity = NamedSerializer(source="parent_entity")


class SearchOfEntitySerializer(serializers.Serializer[Any]):
    """A saved search; Any, as above."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    user = UserSerializer()


class DeletionSerializer(serializers.Serializer[Any]):
    """What a deletion would meet; Any, as above."""

    refused = serializers.CharField(allow_blank=True, help_text="Why it can't be deleted now; empty: it can.")
    entries = serializers.IntegerField(help_text="Active ones that the user may read.")
    are_more = serializers.BooleanField(help_text=f"Whether there are more than {MOST_COUNTED:,} of them.")
    attributes = ReferringAttributeSerializer(
        many=True,
        help_text="Those of other entities that may point to its entries, as far as the user may read them: "
        f"the first {MOST_LISTED}. They stay, and have nothing of it to point to.",
    )
    searches = SearchOfEntitySerializer(
        many=True,
        help_text="Saved searches in it that the user sees. They stay, and are refused while it is deleted: "
        f"the first {MOST_LISTED}.",
    )


def deletion_of(entity: Entity, user: User | None) -> dict[str, Any]:
    """Return what the deletion of `entity` by `user` would meet; nothing is written.

    Raises:
        PermissionDenied: the user may not delete it.
    """
    refused = why_not_deleted(entity, viewer(user))
    found = count_entries([entity.pk], user, MOST_COUNTED).get(entity.pk, 0)
    named = _naming(entity, user)[:MOST_SEARCHES]
    searches = (each for each in named if _is_in(each.search, entity))
    told = {
        "refused": refused or "",
        "entries": min(found, MOST_COUNTED),
        "are_more": found > MOST_COUNTED,
        "attributes": referring_attributes(entity, user)[:MOST_LISTED],
        "searches": islice(searches, MOST_LISTED),
    }
    return dict(DeletionSerializer(told).data)


def _naming(entity: Entity, user: User | None) -> QuerySet[SavedSearch]:
    """Return saved searches with the entity's id or name in the JSON of their entities; one's own first."""
    texts = {str(entity.pk)}
    for name in spellings([entity.name]):  # as JSON has it: a database escapes what isn't ASCII, or doesn't
        texts |= {json.dumps(name, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False)}
    is_named = Q(*(("search__entities__icontains", text) for text in sorted(texts)), _connector=Q.OR)
    own_first = Case(When(user=user, then=0), default=1)
    return saved_searches(user).filter(is_named).order_by(own_first, "name", "pk")


def _is_in(search: dict[str, Any], entity: Entity) -> bool:
    """Return whether a search names the entity among those that it looks into."""
    named = [clean_name(each) for each in search.get("entities") or ()]
    return entity.pk in named or str(entity.pk) in named or clean_name(entity.name) in named

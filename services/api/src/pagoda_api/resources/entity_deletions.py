"""What goes with an entity that is deleted, and what is in the way, as the API tells it."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Case, QuerySet, When
from rest_framework import serializers

from pagoda.domain.access.querysets import count_entries, referring_attributes
from pagoda.domain.entity.models import Entity
from pagoda.domain.entity.services import why_not_deleted
from pagoda.domain.search.models import SavedSearch
from pagoda.domain.search.saving import saved_searches
from pagoda.domain.user.models import User
from pagoda.domain.user.permissions import viewer
from pagoda_api.fields import NamedSerializer, UserSerializer

MOST_COUNTED: Final = 10_000
MOST_LISTED: Final = 100


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
    told = {
        "refused": refused or "",
        "entries": min(found, MOST_COUNTED),
        "are_more": found > MOST_COUNTED,
        "attributes": referring_attributes(entity, user)[:MOST_LISTED],
        "searches": _searches_in(entity, user)[:MOST_LISTED],
    }
    return dict(DeletionSerializer(told).data)


def _searches_in(entity: Entity, user: User | None) -> QuerySet[SavedSearch]:
    """Return the saved searches that name the entity among those that they look into; one's own first."""
    own_first = Case(When(user=user, then=0), default=1)
    return saved_searches(user).filter(entities=entity).order_by(own_first, "name", "pk")

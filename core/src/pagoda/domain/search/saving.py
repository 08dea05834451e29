"""Who may save searches, see, replace and delete them."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet

from pagoda.domain.access.querysets import readable
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.search.models import SavedSearch
from pagoda.domain.search.naming import identified
from pagoda.domain.user.models import User
from pagoda_plugin_sdk.rules.saying import say

MAX_SAVED: Final = 1_000


def saved_searches(user: User | None) -> QuerySet[SavedSearch]:
    """Return those of a user, and those that others share, by name; for nobody none."""
    if user is None:
        return SavedSearch.objects.none()
    rows = SavedSearch.objects.select_related("user").filter(Q(user=user) | Q(is_shared=True))
    return rows.order_by("name", "pk")


def store_search(
    user: User, *, name: str, search: dict[str, Any], is_shared: bool, row: SavedSearch | None = None
) -> SavedSearch:
    """Store a search of a user, as JSON, in place of `row` if one is given.

    What it names is kept by its ids, too, as far as the user may see it: it follows new names.

    Raises:
        PermissionDenied: `row` is another's.
        ValidationError: keyed by field.
        IntegrityError: the user has another of that name.
    """
    if row is None and SavedSearch.objects.filter(user=user).count() >= MAX_SAVED:
        message = say(
            "You have {max_saved:,} saved searches, as many as are allowed; delete some.", max_saved=MAX_SAVED
        )
        raise ValidationError({"name": ValidationError(message, code="too_many")})
    row = row or SavedSearch(user=user)
    _require_own(user, row)
    row.name, row.search, row.is_shared = name, search, is_shared
    attrs = EntityAttr.objects.active().filter(parent_entity__is_active=True)
    row.named = identified(search, readable(Entity.objects.active(), user), readable(attrs, user))
    row.clean_fields(exclude=["user", "search", "named"])
    with transaction.atomic():  # with the event that the audit log makes of it
        row.save()
        row.entities.set(set(row.named["entities"].values()))
    return row


def delete_search(user: User, row: SavedSearch) -> None:
    """Delete a saved search.

    Raises:
        PermissionDenied: it is another's, and the user no superuser.
    """
    if not user.is_superuser:
        _require_own(user, row)
    with transaction.atomic():
        row.delete()


def _require_own(user: User, row: SavedSearch) -> None:
    if row.user_id != user.pk:
        raise PermissionDenied(say("This search is another user's; run it, or save one like it as your own."))

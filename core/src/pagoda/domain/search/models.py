"""Searches that users have saved, and who may do what with them."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.db.models import Q, QuerySet

from pagoda.domain.stamped import NameField
from pagoda.domain.user.models import User
from pagoda_plugin_sdk.rules.saying import say

MAX_SAVED: Final = 1_000


class SavedSearch(models.Model):
    """What is searched for, under a name of its owner's; what it finds is up to who runs it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="saved_searches")
    name = NameField()
    is_shared = models.BooleanField(default=False)  # everybody who is logged in sees and runs it
    search = models.JSONField()  # as the API takes it, without page
    created_time = models.DateTimeField(auto_now_add=True)
    updated_time = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "search"
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="search_one_per_name")]
        indexes = [models.Index(fields=["name"], condition=Q(is_shared=True), name="search_shared")]

    def __str__(self) -> str:
        return self.name


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
    row.clean_fields(exclude=["user", "search"])
    with transaction.atomic():  # with the event that the audit log makes of it
        row.save()
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

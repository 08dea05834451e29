"""Find one object, or answer 404 with what was looked for."""

from __future__ import annotations

from django.db.models import Model, QuerySet
from rest_framework.exceptions import NotFound


def found_or_404[M: Model](queryset: QuerySet[M], pk: str, *, noun: str) -> M:
    """Return the row with this id.

    Raises:
        NotFound: it does not exist, or the user may not see it; which of the two is not told.
    """
    found = queryset.filter(pk=int(pk)).first()
    if found is None:
        raise NotFound(f"There is no {noun} {int(pk)}, or you may not see it.")
    return found

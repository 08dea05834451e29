"""What becomes of a request with an Idempotency-Key.

The key is taken in a transaction of its own before the request is done, and its answer is kept in another one
after it: both stand when the request itself was undone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from django.db.models import QuerySet
from django.utils import timezone

from pagoda.idempotency.models import KeptAnswer

KEPT: Final = timedelta(days=1)
RUNNING: Final = timedelta(minutes=5)
"""A request that has no answer after that has lost its process, and its key may be taken again.

What it wrote was undone, unless it was killed between its commit and the keeping of its answer.
"""


class KeyReused(Exception):
    """The key was sent with another request."""


class StillRunning(Exception):
    """The first request with the key has no answer yet."""


def take(user_id: int, key: str, request: str) -> KeptAnswer:
    """Return the answer that is kept of the same request, or the taken key: its status is None.

    `request` is the digest of what is asked for. A taken key has to be given to `keep` or `free`.

    Raises:
        KeyReused: it was another request.
        StillRunning: it is being done at this moment.
    """
    now = timezone.now()
    fresh = {"request": request, "expires_at": now + RUNNING, "status": None, "headers": {}, "body": b""}
    row, is_new = KeptAnswer.objects.get_or_create(user_id=user_id, key=key, defaults=fresh)
    if is_new:
        return row
    if row.expires_at <= now:  # whoever is the first takes it over
        rows = KeptAnswer.objects.filter(pk=row.pk, expires_at=row.expires_at)
        if rows.update(**fresh):
            return KeptAnswer(pk=row.pk, user_id=user_id, key=key, **fresh)
        raise StillRunning
    if row.request != request:
        raise KeyReused
    if row.status is None:
        raise StillRunning
    return row


def keep(taken: KeptAnswer, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Keep the answer of the request that has taken the key."""
    _rows_of(taken).update(status=status, headers=dict(headers), body=body, expires_at=timezone.now() + KEPT)


def free(taken: KeptAnswer) -> None:
    """Give the key back: the request was not done, and may be sent again with it."""
    _rows_of(taken).delete()


def prune() -> int:
    """Remove the answers whose time is over; return how many."""
    return KeptAnswer.objects.filter(expires_at__lte=timezone.now()).delete()[0]


def _rows_of(taken: KeptAnswer) -> QuerySet[KeptAnswer]:
    # Unless another request took the key over, as this one took too long
    return KeptAnswer.objects.filter(pk=taken.pk, status=None, expires_at=taken.expires_at)

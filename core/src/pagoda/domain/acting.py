"""Who acts: the user on whose behalf the current code runs.

The API's middleware, the job runner and the write services set it; models, changes and hooks read it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pagoda.domain.user.models import User

_acting: ContextVar[User | None] = ContextVar("pagoda_acting_user", default=None)


def acting_user() -> User | None:
    """Return the user who acts in this thread or task; None when nobody does, as in a shell."""
    return _acting.get()


@contextmanager
def acting_as(user: User | None) -> Iterator[User | None]:
    """Act as `user` inside the block; None means that nobody acts there. Blocks nest."""
    token = _acting.set(user)
    try:
        yield user
    finally:
        _acting.reset(token)

"""Who acts: the user on whose behalf the current code runs, or a plugin on its own authority.

The API's middleware, the job runner and the write services set the user; models, changes and hooks read it.
What they decide by is `pagoda.domain.user.permissions.acting_viewer`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from structlog.contextvars import get_contextvars

from pagoda import running

if TYPE_CHECKING:
    from pagoda.domain.authority import PluginAuthority
    from pagoda.domain.user.models import User
    from pagoda.running import PluginCode

_acting: ContextVar[User | None] = ContextVar("pagoda_acting_user", default=None)
_authority: ContextVar[tuple[PluginCode, PluginAuthority] | None] = ContextVar(
    "pagoda_authority", default=None
)


def acting_user() -> User | None:
    """Return the user who acts in this thread or task; None when nobody does, as in a shell."""
    return _acting.get()


def acting_authority() -> PluginAuthority | None:
    """Return the rights of the plugin whose code runs, or has called, while it acts for itself."""
    held = _authority.get()
    return held[1] if held is not None and held[0] is running.innermost() else None


def acting_through() -> dict[str, Any]:  # Any: a text and a number
    """Return the ``plugin`` whose code runs, "" for the host's, and the ``job_id`` of the job around it."""
    bound = get_contextvars()
    code = None if running.is_plain() else running.plugin()
    return {"plugin": code or bound.get("plugin") or "", "job_id": bound.get("job_id")}


@contextmanager
def acting_as(user: User | None) -> Iterator[User | None]:
    """Act as `user` inside the block; None means that nobody acts there. Blocks nest."""
    token = _acting.set(user)
    try:
        yield user
    finally:
        _acting.reset(token)


@contextmanager
def acting_by(authority: PluginAuthority, code: PluginCode) -> Iterator[None]:
    """Have a plugin's rights decide in the block, for `code` of it and the host's that it calls."""
    token = _authority.set((code, authority))
    try:
        yield
    finally:
        _authority.reset(token)

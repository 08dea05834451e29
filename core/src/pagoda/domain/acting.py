"""Who acts: a user on whose behalf code runs, or a plugin on its own authority; and whose code that is.

The API's middleware, the job runner and the write services set the user; models, changes and hooks read it.
What they decide by is `pagoda.domain.user.permissions.acting_viewer`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType, MappingProxyType
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


class _Plugins:
    """Where the plugin runtime, which lies above, says which plugins are in service."""

    packages: Mapping[str, str] = MappingProxyType({})


def know_plugins(packages: Mapping[str, str]) -> None:
    """Tell whose code is whose from now on; `packages` is ``{package: plugin's id}`` and may change later."""
    _Plugins.packages = packages


def acting_through() -> dict[str, Any]:  # Any: a text and a number
    """Return the ``plugin`` whose code runs, "" for the host's, and the ``job_id`` of the job around it.

    It is the plugin whose fence is the innermost; outside of fences the innermost whose code is on the stack;
    else the one that the logs name. It costs microseconds: for what is written, not for what is read.
    """
    bound = get_contextvars()
    plugin = None if running.is_plain() else running.plugin()
    return {"plugin": plugin or _on_stack() or bound.get("plugin") or "", "job_id": bound.get("job_id")}


def _on_stack() -> str | None:
    """Return the innermost plugin whose code calls, None when none does."""
    packages = _Plugins.packages
    roots = {package.partition(".")[0] for package in packages}
    frame: FrameType | None = sys._getframe(1) if packages else None
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] in roots:
            while module:
                if module in packages:
                    return packages[module]
                module = module.rpartition(".")[0]
        frame = frame.f_back
    return None


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

"""Where a host says how a plugin acts for itself; without a host nothing is refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

type Authority = Callable[[str], AbstractContextManager[None]]


class _Host:
    authority: Authority = staticmethod(lambda _plugin_id: nullcontext())


def authority_of(plugin_id: str) -> AbstractContextManager[None]:
    """Return the block in which the plugin acts for itself."""
    return _Host.authority(plugin_id)


def set_authority(authority: Authority) -> Authority:
    """Have `authority`, which takes a plugin's id, make the blocks, and return what did before.

    A host calls this when it starts.
    """
    before, _Host.authority = _Host.authority, staticmethod(authority)
    return before

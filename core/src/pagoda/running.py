"""Whose code runs in the calling thread: a plugin's, or the host's that a plugin called.

The fences note what they run (`pagoda.budget.frames`); who asks here is below them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class PluginCode(Protocol):
    """One call of a plugin's code, a handler, a view, a task: a frame of the fences. Compared by identity."""

    @property
    def running(self) -> object: ...  # None: the host's own code, as between two handlers
    @property
    def outer(self) -> PluginCode | None: ...
    @property
    def plugin_id(self) -> str: ...


class _Fences:
    """Where the fences, which lie above, note what they run."""

    local: threading.local | None = None  # ``local.frame``: the innermost; absent where nothing ever ran


fences = _Fences()


class _HostCode(threading.local):
    host_in: PluginCode | None = None  # the call of a plugin's code from which the host's own was called


_thread = _HostCode()


def innermost() -> PluginCode | None:
    """Return the innermost call of a plugin's code, the host's that it calls included; None: none runs."""
    frame: PluginCode | None = getattr(fences.local, "frame", None)
    while frame is not None and (frame.running is None or not frame.plugin_id):
        frame = frame.outer
    return frame


def plugin() -> str | None:
    """Return the id of the plugin that `innermost` is of."""
    code = innermost()
    return None if code is None else code.plugin_id


def is_plain() -> bool:
    """Return whether no plugin's code runs in the thread at all: quick, as it is asked often."""
    frame: PluginCode | None = getattr(fences.local, "frame", None)
    return frame is None or (frame.running is None and frame.outer is None)


def asking() -> PluginCode | None:
    """Return the plugin's code that the caller is a part of, or was called by; None in `as_host`."""
    code = innermost()
    return None if code is _thread.host_in else code


@contextmanager
def as_host() -> Iterator[None]:
    """Have the block be the host's own code, whoever called it: it sees everything.

    Whose rights decide what it writes stays as it is. Plugin code that it runs is a plugin's again.
    """
    before, _thread.host_in = _thread.host_in, innermost()
    try:
        yield
    finally:
        _thread.host_in = before


class Hosted:
    """The functions of a module, each the host's own code, whoever calls it. Any: they are of every kind."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        function = as_host()(getattr(self._module, name))
        setattr(self, name, function)
        return function

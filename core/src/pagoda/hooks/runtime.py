"""The process's hook manager: made once when Django starts, reached from everywhere."""

from __future__ import annotations

from pagoda import running
from pagoda.hooks.errors import HooksNotStarted
from pagoda.hooks.manager import Deferrer, HookManager


class _HooksRuntime:
    """Holds the process's manager."""

    manager: HookManager | None = None


_runtime = _HooksRuntime()


def manager() -> HookManager:
    """Return the process's hook manager.

    Raises:
        HooksNotStarted: Django is not set up, or `pagoda.hooks` is no installed app.
    """
    if _runtime.manager is None:
        raise HooksNotStarted(
            "The hook manager does not exist yet. It is made when Django starts: call django.setup() with "
            "'pagoda.hooks' in INSTALLED_APPS first."
        )
    return _runtime.manager


def install(new: HookManager | None) -> HookManager | None:
    """Make `new` the process's manager and return the one it replaces."""
    replaced, _runtime.manager = _runtime.manager, new
    running.fences.local = None if new is None else new.budget.local
    return replaced


def set_deferrer(deferrer: Deferrer | None) -> None:
    """Set what takes the deferred handlers of after-hooks; None: they run at once.

    It is called with the handler's record, the hook's spec and the arguments, inside the change's
    transaction.
    """
    manager().set_deferrer(deferrer)

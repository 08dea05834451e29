"""Start the hooks with Django: one manager per process, its guard on the connections, its bridge on the
signals.
"""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings

from pagoda.fencing.breaker import breaker
from pagoda.hooks import breaking
from pagoda.hooks.manager import HookManager, install


class HooksConfig(AppConfig):
    """Makes the process's hook manager, before the plugins register their handlers with it."""

    name = "pagoda.hooks"
    label = "hooks"

    def ready(self) -> None:
        from pagoda.hooks.bridge import Bridge  # late: it uses models, which exist once the apps are loaded

        manager = HookManager(timeout_seconds=settings.PAGODA.plugin_hook_timeout_seconds)
        manager.open()
        breaking.connect(manager, breaker())
        install(manager)
        Bridge(manager).connect()

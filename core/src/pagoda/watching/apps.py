"""The Django app that keeps what processes tell each other of plugins, workers and alerts."""

from __future__ import annotations

from django.apps import AppConfig

from pagoda.domain import authority
from pagoda.fencing import add_observer, breaker_changed


class WatchingConfig(AppConfig):
    """Connects what counts the plugins' outcomes and records what becomes of their breakers."""

    name = "pagoda.watching"
    label = "watching"

    def ready(self) -> None:
        # Late: they use models, which exist once the apps are loaded
        from pagoda.watching import breaker_events, permission_use, traffic

        add_observer(traffic.count)
        breaker_changed.connect(breaker_events.record_change, dispatch_uid="pagoda.watching")
        authority.used.connect(permission_use.uses().note_use, dispatch_uid="pagoda.watching")
        authority.refused.connect(permission_use.uses().note_refusal, dispatch_uid="pagoda.watching")

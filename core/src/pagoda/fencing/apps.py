"""Start the process's breaker with Django."""

from __future__ import annotations

from django.apps import AppConfig, apps
from django.conf import settings

from pagoda.fencing.breaker import CircuitBreaker, install
from pagoda.fencing.policy import Policy
from pagoda.fencing.store import DatabaseStore, RedisStore
from pagoda.fencing.switches import plugins_in_dry_run


class FencingConfig(AppConfig):
    """Makes the breaker before anything runs plugin code."""

    name = "pagoda.fencing"
    label = "fencing"

    def ready(self) -> None:
        host = settings.PAGODA
        store = DatabaseStore() if host.cache_url is None else RedisStore(_plugin_ids)
        install(CircuitBreaker(store, Policy.of(host), dry_running=plugins_in_dry_run))


def _plugin_ids() -> list[str]:
    registry = getattr(apps.app_configs.get("plugins"), "registry", None)  # of a layer above
    return [record.id for record in registry.records] if registry is not None else []

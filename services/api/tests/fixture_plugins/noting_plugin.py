"""A plugin that writes in a hook."""

from __future__ import annotations

from typing import Any

from pagoda_plugin_sdk import Plugin
from pagoda_plugin_sdk.decorators import entity_hook
from pagoda_plugin_sdk.models import Entity


class Noter(Plugin):
    id = "noter"
    name = "Noter"
    version = "1.0"

    @entity_hook("after_create", entity="Host")
    def on_create(self, user: Any, entity: Any) -> None:
        Entity.objects.create_entity(user=user, name="Noted")

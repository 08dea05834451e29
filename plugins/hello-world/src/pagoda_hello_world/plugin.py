"""The plugin class: metadata, and one handler for each hook decorator."""

from __future__ import annotations

import logging
from typing import Any

from django.http import HttpRequest

from pagoda_plugin_sdk import HookRejected, Plugin
from pagoda_plugin_sdk.decorators import (
    entity_hook,
    entry_action,
    entry_hook,
    entry_panel,
    get_attrs_hook,
    validation_hook,
)
from pagoda_plugin_sdk.metadata import NavigationEntry
from pagoda_plugin_sdk.protocols import EntityProtocol, EntryProtocol, UserProtocol

logger = logging.getLogger(__name__)

GREETED_ENTITY = "Greeting"
"""Create an entity of this name to see the handlers that look at one entity only."""


class HelloWorldPlugin(Plugin):
    """Says hello wherever a plugin can."""

    id = "hello-world-plugin"
    name = "Hello World"
    version = "1.0.0"
    description = "The example: every decorator, views with and without login, two tasks"
    author = "Pagoda"
    django_apps = ["pagoda_hello_world"]
    url_patterns = "pagoda_hello_world.urls"
    api_v2_patterns = "pagoda_hello_world.api.urls"
    console_patterns = "pagoda_hello_world.console"
    navigation = [NavigationEntry("Hello", "hello/")]

    @entry_hook("before_create", entity=GREETED_ENTITY, priority=50)
    def add_greeting(
        self, entity_name: str, user: UserProtocol | None, validated_data: dict[str, Any], **_context: Any
    ) -> dict[str, Any] | None:
        """Give a new entry a note, unless it brings one: what is returned replaces the data."""
        if validated_data.get("note"):
            return None
        return {**validated_data, "note": greeting(validated_data["name"])}

    @entry_hook("after_create")
    @entry_hook("after_update")
    @entry_hook("after_restore")
    def log_entry_write(
        self, entity_name: str, user: UserProtocol | None, entry: EntryProtocol, **_context: Any
    ) -> None:
        """Log what was written: one handler may serve several hooks."""
        logger.info("Hello, entry %r of entity %r, written by %s", entry.name, entity_name, _who(user))

    @entry_hook("after_delete", deferred=True)
    def log_entry_delete(
        self, entity_name: str, user: UserProtocol | None, entry: EntryProtocol, **_context: Any
    ) -> None:
        """Say goodbye in the plugin's own worker, after the deletion was committed."""
        logger.info("Goodbye, entry %r of entity %r, deleted by %s", entry.name, entity_name, _who(user))

    @entity_hook("after_create")
    @entity_hook("after_update")
    def log_entity_write(self, user: UserProtocol | None, entity: EntityProtocol, **_context: Any) -> None:
        """Log what was written."""
        logger.info("Hello, entity %r, written by %s", entity.name, _who(user))

    @validation_hook()
    def refuse_forbidden_names(
        self,
        user: UserProtocol | None,
        schema_name: str,
        name: str,
        attrs: list[dict[str, Any]],
        instance: EntryProtocol | None,
        **_context: Any,
    ) -> None:
        """Refuse an entry whose name holds the word "forbidden"."""
        if "forbidden" in name.lower():
            raise HookRejected(f"The name {name!r} holds the word 'forbidden'. Choose another one.")

    @get_attrs_hook("entry", entity=GREETED_ENTITY)
    def show_greeting(
        self, entry: EntryProtocol, attrinfo: list[dict[str, Any]], is_retrieve: bool, **_context: Any
    ) -> list[dict[str, Any]]:
        """Show an attribute that is computed, not stored."""
        return [*attrinfo, _computed("greeting", greeting(entry.name))]

    @get_attrs_hook("entity", entity=GREETED_ENTITY)
    def show_greeting_attribute(
        self, entity: EntityProtocol, attrinfo: list[dict[str, Any]], **_context: Any
    ) -> list[dict[str, Any]]:
        """Show that entries of the entity have the computed attribute."""
        return [*attrinfo, _computed("greeting", None)]

    @entry_panel(entity=GREETED_ENTITY, title="Greeting")
    def show_greeting_panel(self, request: HttpRequest, entry: EntryProtocol) -> tuple[str, dict[str, Any]]:
        """Show a panel on the console's page of an entry."""
        return "hello_world/greeting.html", {"greeting": greeting(entry.name)}

    @entry_action(entity=GREETED_ENTITY, title="Say hello")
    def say_hello(self, request: HttpRequest, entry: EntryProtocol) -> str:
        """Do what a button on the console's page of an entry stands for, and tell it."""
        return greeting(entry.name)


def greeting(name: str) -> str:
    """Return what the plugin says to `name`."""
    return f"Hello, {name}!"


def _who(user: UserProtocol | None) -> str:
    return user.username if user is not None else "nobody"


def _computed(name: str, value: str | None) -> dict[str, Any]:
    """Return an attribute as the host shows it; one that isn't stored has no id."""
    return {
        "id": None,
        "name": name,
        "type": "string",
        "value": value,
        "is_mandatory": False,
        "is_readable": True,
    }

"""The plugin that the integration tests run: whatever may happen, it can make it happen."""

from __future__ import annotations

from typing import Any

from pagoda_plugin_sdk import HookRejected, Plugin, PluginTaskConfig
from pagoda_plugin_sdk.decorators import entity_hook, entry_hook, get_attrs_hook, validation_hook
from pagoda_trial.traces import leave

TRACED = "Traced"
"""The hooks of this entity's entries leave traces."""

WATCHED = "Watched"
"""The hooks of this entity leave traces."""

TROUBLED = "Troubled"
"""A hook of this entity's entries raises."""

TASKS = (
    "succeed",
    "fail",
    "nap",
    "hang",
    "overrun",
    "overstay",
    "progress",
    "write_file",
    "flaky",
    "effect",
    "tick",
    "write_entry",
    "break_off",
    "eat_memory",
    "walk",
    "delete_entry",
)
"""By offset."""


def _of_entry(hook: str) -> Any:
    """Return a handler that leaves a trace of one hook."""

    def handler(self: Plugin, entity_name: str, user: Any, entry: Any) -> None:
        leave(hook, entry.name)

    return handler


def _of_entity(hook: str) -> Any:
    def handler(self: Plugin, user: Any, entity: Any) -> None:
        leave(hook, entity.name)

    return handler


class TrialPlugin(Plugin):
    """Tasks, endpoints, and a handler for each of the hooks."""

    id = "trial"
    name = "Trial"
    django_apps = ["pagoda_trial"]
    api_v2_patterns = "pagoda_trial.urls"
    task_config = PluginTaskConfig(
        "trial",
        "pagoda_trial.tasks",
        {name: (offset, name) for offset, name in enumerate(TASKS)},
        cancelable_operations=["succeed", "nap", "hang", "effect"],
        downloadable_operations=["write_file"],
        parallelizable_operations=TASKS,
    )

    @entry_hook("before_create", entity=TRACED)
    def entry_before_create(self, entity_name: str, user: Any, data: dict[str, Any]) -> dict[str, Any]:
        """Give the entry a note."""
        leave("entry.before_create", data["name"])
        return {**data, "note": "noted by trial"}

    @entry_hook("before_update", entity=TRACED)
    def entry_before_update(self, entity_name: str, user: Any, data: dict[str, Any], entry: Any) -> None:
        """Keep the data."""
        leave("entry.before_update", entry.name)

    entry_after_create = entry_hook("after_create", entity=TRACED)(_of_entry("entry.after_create"))
    entry_after_update = entry_hook("after_update", entity=TRACED)(_of_entry("entry.after_update"))
    entry_before_delete = entry_hook("before_delete", entity=TRACED)(_of_entry("entry.before_delete"))
    entry_after_delete = entry_hook("after_delete", entity=TRACED)(_of_entry("entry.after_delete"))
    entry_before_restore = entry_hook("before_restore", entity=TRACED)(_of_entry("entry.before_restore"))
    entry_after_restore = entry_hook("after_restore", entity=TRACED)(_of_entry("entry.after_restore"))

    @entry_hook("after_create", entity=TRACED, deferred=True)
    def later(self, entity_name: str, user: Any, entry: Any) -> None:
        """Leave a trace where the plugin's jobs run."""
        leave("deferred", entry.name)

    @entity_hook("before_create", entity=WATCHED)
    def entity_before_create(self, user: Any, data: dict[str, Any]) -> None:
        """Keep the data."""
        leave("entity.before_create", data["name"])

    @entity_hook("before_update", entity=WATCHED)
    def entity_before_update(self, user: Any, data: dict[str, Any], entity: Any) -> None:
        """Keep the data."""
        leave("entity.before_update", entity.name)

    entity_after_create = entity_hook("after_create", entity=WATCHED)(_of_entity("entity.after_create"))
    entity_after_update = entity_hook("after_update", entity=WATCHED)(_of_entity("entity.after_update"))
    entity_before_delete = entity_hook("before_delete", entity=WATCHED)(_of_entity("entity.before_delete"))
    entity_after_delete = entity_hook("after_delete", entity=WATCHED)(_of_entity("entity.after_delete"))

    @validation_hook(entity=TRACED)
    def refuse(self, user: Any, schema_name: str, name: str, attrs: Any, instance: Any) -> None:
        """Refuse a name; a trace of it would be undone with the write."""
        if "refused" in name:
            raise HookRejected(f"the name {name!r} is refused by trial")
        leave("entry.validate", name)

    @get_attrs_hook("entry", entity=TRACED)
    def show_entry(self, entry: Any, attrinfo: list[Any], is_retrieve: bool) -> list[Any]:
        """Show one attribute more."""
        return [*attrinfo, _shown("of-the-entry")]

    @get_attrs_hook("entity", entity=WATCHED)
    def show_entity(self, entity: Any, attrinfo: list[Any]) -> list[Any]:
        """Show one attribute more."""
        return [*attrinfo, _shown("of-the-entity")]

    @entry_hook("after_create", entity=TROUBLED)
    def trouble(self, entity_name: str, user: Any, entry: Any) -> None:
        """Raise."""
        raise LookupError(f"the trial's handler failed on {entry.name}")


def _shown(name: str) -> dict[str, Any]:
    return {
        "id": None,
        "name": name,
        "type": "string",
        "value": "shown by trial",
        "is_mandatory": False,
        "is_readable": True,
    }

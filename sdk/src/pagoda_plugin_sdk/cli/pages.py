"""A page of documentation on a plugin, written from what the plugin itself says."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from pagoda_plugin_sdk.permissions import KINDS, Permission
from pagoda_plugin_sdk.plugin import Plugin
from pagoda_plugin_sdk.task_config import KINDS as KINDS_OF_TASKS
from pagoda_plugin_sdk.task_registry import PluginTaskRegistry, load_task
from pagoda_plugin_sdk.tasks import task_options


def page_of(plugin: Plugin, schema: Mapping[str, Any]) -> str:
    """Return the page on `plugin` as Markdown; `schema` is the OpenAPI of its host. Any: JSON."""
    parts = [
        [f"# {plugin.name}", plugin.description, f"Plugin `{plugin.id}`, version {plugin.version}."],
        _section("Hooks", ("hook", "entity", "priority", "what it does"), _hooks(plugin)),
        _section("Endpoints", ("request", "what it does"), _endpoints(plugin, schema)),
        _section("Tasks", ("operation", "offset", "options", "what it does"), _tasks(plugin)),
        _section("Settings", ("setting", "type", "default", "what it is"), _settings(plugin)),
        _section("Permissions", ("permission", "what it may"), _permissions(plugin)),
    ]
    return "\n\n".join(line for part in parts for line in part if line) + "\n"


def _section(title: str, columns: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> list[str]:
    found = list(rows)
    if not found:
        return [f"## {title}", "None."]
    table = [columns, tuple("---" for _ in columns), *found]
    return [f"## {title}", "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in table)]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _hooks(plugin: Plugin) -> Iterator[tuple[str, ...]]:
    for each in sorted(
        plugin._hook_handlers, key=lambda handler: (handler["hook_name"], handler["priority"])
    ):
        name = f"`{each['hook_name']}`" + (", after commit, in the worker" if each["deferred"] else "")
        yield name, each["entity"] or "all", str(each["priority"]), _summary(each["handler"])


def _endpoints(plugin: Plugin, schema: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    prefix = f"/api/v2/plugins/{plugin.id}/"
    for path, methods in sorted(schema.get("paths", {}).items()):
        if path.startswith(prefix):
            for method, operation in methods.items():
                if "responses" in operation:
                    text = operation.get("summary") or operation.get("description", "")
                    yield f"`{method.upper()} {path}`", text.partition("\n\n")[0]


def _tasks(plugin: Plugin) -> Iterator[tuple[str, ...]]:
    config = PluginTaskRegistry.get_all_configs().get(plugin.id, plugin.task_config)
    if config is None:
        return
    for name, (offset, function) in config.tasks.items():
        task = load_task(config.module_path, function)
        options = task_options(task)
        told = {} if options is None else asdict(options)
        given = [f"{key} {getattr(value, '__name__', value)}" for key, value in told.items() if value]
        given += [kind for kind in KINDS_OF_TASKS if name in getattr(config, f"{kind}_operations")]
        yield f"`{name}`", str(int(offset)), ", ".join(given) or "-", _summary(task)


def _settings(plugin: Plugin) -> Iterator[tuple[str, ...]]:
    model = plugin.settings_model
    shown = {} if model is None else model.model_json_schema()
    for name, told in shown.get("properties", {}).items():
        default = "required" if name in shown.get("required", ()) else f"`{told.get('default')!r}`"
        types = " or ".join(str(each.get("type", "any")) for each in told.get("anyOf", [told]))
        yield f"`{name}`", types, default, str(told.get("description", ""))


def _permissions(plugin: Plugin) -> Iterator[tuple[str, ...]]:
    for text in plugin.permissions:
        yield f"`{text}`", KINDS[Permission.parse(text).kind]


def _summary(function: object) -> str:
    return (inspect.getdoc(function) or "").partition("\n\n")[0]

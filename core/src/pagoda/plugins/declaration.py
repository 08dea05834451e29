"""What a plugin declares, read once and inside the fence: nobody asks its class again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pagoda_plugin_sdk.checking.loading import conventional_app
from pagoda_plugin_sdk.exceptions import PluginValidationError
from pagoda_plugin_sdk.metadata import DECLARED, declared_faults
from pagoda_plugin_sdk.plugin import EntryPart, Plugin
from pagoda_plugin_sdk.task_config import PluginTaskConfig

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """The checked attributes of a `Plugin`, as values that run no code of it when they are looked at."""

    id: str
    name: str
    version: str
    description: str
    author: str
    dependencies: tuple[str, ...]
    django_apps: tuple[str, ...]
    url_patterns: str | None
    api_v2_patterns: str | None
    console_patterns: str | None
    navigation: tuple[tuple[str, str, str | None], ...]  # as `NavigationEntry`
    settings_model: type[BaseModel] | None
    params_model: type[BaseModel] | None
    task_config: PluginTaskConfig | None
    fail_closed: bool
    permissions: tuple[str, ...]
    module: str  # that holds the class
    entry_parts: tuple[EntryPart, ...]  # its panels and buttons on the console's pages of entries


def declaration_of(plugin: Plugin) -> Declaration:
    """Return what the plugin declares. Call it inside a fence: attributes may be properties.

    Raises:
        PluginValidationError: it lists every fault.
    """
    values = {field: getattr(plugin, field) for field in DECLARED}
    if faults := list(declared_faults(values)):
        raise PluginValidationError(f"Class {type(plugin).__qualname__}: {'; '.join(faults)}.")
    plain = {field: _plain(value) for field, value in values.items()}
    module: object = type(plugin).__module__
    if not isinstance(module, str):
        raise PluginValidationError(f"`__module__` is {module!r}, expected a string.")
    plain["django_apps"] += conventional_app(module, plain["django_apps"])
    return Declaration(**plain, module=_plain(module), entry_parts=tuple(plugin._entry_parts))


def _plain(value: Any) -> Any:
    """Return strings and lists without the class that a plugin may have given them; Any: as declared."""
    if isinstance(value, str):
        return str.__str__(value)
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value

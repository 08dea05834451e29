"""Small functions that plugins written for this SDK use."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from pagoda_plugin_sdk.exceptions import PluginValidationError
from pagoda_plugin_sdk.metadata import is_dotted_path

logger = logging.getLogger(__name__)


class PluginLogger:
    """Writes to the log ``pagoda.plugin.<id>``, each message with the plugin's id before it."""

    def __init__(self, plugin_id: str) -> None:
        self.plugin_id = plugin_id
        self.logger = logging.getLogger(f"pagoda.plugin.{plugin_id}")

    # Any: `exc_info`, `extra` and what else `logging` takes.

    def debug(self, message: str, **kwargs: Any) -> None:
        self.logger.debug(self._named(message), **kwargs)

    def info(self, message: str, **kwargs: Any) -> None:
        self.logger.info(self._named(message), **kwargs)

    def warning(self, message: str, **kwargs: Any) -> None:
        self.logger.warning(self._named(message), **kwargs)

    def error(self, message: str, **kwargs: Any) -> None:
        self.logger.error(self._named(message), **kwargs)

    def _named(self, message: str) -> str:
        return f"[{self.plugin_id}] {message}"


def get_pagoda_version() -> str:
    """Return the SDK's version, such as "1.0.0"."""
    return version("pagoda-plugin-sdk")


def validate_plugin_data(data: Mapping[str, Any], required_fields: Sequence[str]) -> dict[str, Any]:
    """Return ``{"valid": True, "data", "validated_fields"}`` when every field is there and not None.

    Raises:
        PluginValidationError: some are not; it names them.
    """
    missing = [name for name in required_fields if data.get(name) is None]
    if missing:
        raise PluginValidationError(f"Missing required fields: {', '.join(missing)}")
    return {"valid": True, "data": data, "validated_fields": required_fields}


def format_datetime_for_api(dt: Any) -> str | None:
    """Return a date or time in ISO 8601, None for None, and the text of whatever else it is."""
    if dt is None:
        return None
    return str(dt.isoformat() if hasattr(dt, "isoformat") else dt)


def sanitize_plugin_id(plugin_id: str) -> str:
    """Return what an id may hold of `plugin_id`: letters, digits, and hyphens and underscores in between."""
    return re.sub(r"[^A-Za-z0-9_-]", "", plugin_id).strip("-_")


def generate_plugin_cache_key(plugin_id: str, key: str) -> str:
    """Return ``pagoda:plugin:<id>:<key>``."""
    return f"pagoda:plugin:{sanitize_plugin_id(plugin_id)}:{key}"


def log_plugin_activity(plugin_id: str, action: str, details: Mapping[str, Any] | None = None) -> None:
    """Log at info what a plugin did."""
    told = f" | Details: {details}" if details else ""
    logger.info(f"Plugin {plugin_id!r} performed action: {action}{told}")


def merge_plugin_config(
    default_config: Mapping[str, Any], plugin_config: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a new dict of the defaults with the plugin's values over them, key by key of the top level."""
    return {**default_config, **plugin_config}


def validate_django_app_name(app_name: object) -> bool:
    """Return whether `app_name` can stand in INSTALLED_APPS: a dotted path of identifiers."""
    return is_dotted_path(app_name)


def get_plugin_module_path(plugin_id: str, module_name: str) -> str:
    """Return ``<id as an identifier>.<module>``."""
    return f"{plugin_id.replace('-', '_')}.{module_name}"

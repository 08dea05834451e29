"""The software's settings as the chart sees them: plain ones, secret ones, those that it works out itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pagoda.config.settings import Settings

ENV_EXAMPLE = Path(__file__).resolve().parents[2] / ".env.example"
HEADING = "# ---"

MADE_FROM = {
    "API_BIND": "port 8000 of the Pod",
    "API_WORKERS": "`api.workers`",
    "BROKER_URL": "`broker`",
    "CACHE_URL": "`cache`",
    "DATABASE_URL": "`database`",
    "ENABLED_PLUGINS": "`plugins`",
    "FLOWER_BASIC_AUTH": "`flower.existingSecret`",
    "FLOWER_BIND": "port 5555 of the Pod",
    "FLOWER_URL": "`flower.url`",
    "METRICS_BIND": "`metrics.enabled`",
    "PAGODA_ACCOUNT_PASSWORDS_DIR": "`accounts`",
    "PAGODA_ALLOWED_HOSTS": "`api.allowedHosts`",
    "PAGODA_CSRF_TRUSTED_ORIGINS": "`api.trustedOrigins`",
    "PAGODA_DATA_DIR": "a folder of the Pod",
    "PAGODA_PATH_PREFIX": "`api.pathPrefix`",
    "PAGODA_TRUSTED_PROXIES": "`api.trustedProxies`",
    "PAGODA_ENV": "always `production`",
    "PLUGIN_OPERATION_ID_CONFIG": "`plugins`",
    "PLUGIN_PERMISSIONS": "`plugins`",
    "PLUGIN_SETTINGS": "`plugins`",
    "PLUGIN_WORKER_CONFIG": "`plugins`, `coreWorker`",
}
"""``{setting: what the chart makes it from}``; neither `config` nor `secrets.values` takes them."""

UNUSED = dict.fromkeys(("PAGODA_DEBUG", "PLUGIN_EXAMPLES_DIR"), "for development machines")
"""``{setting: why the chart has no place for it}``"""

CONFIG, SECRET, MADE, LEFT_OUT = "config", "secrets.values", "made", "left out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting."""

    name: str
    place: str  # CONFIG, SECRET, MADE or LEFT_OUT
    default: str
    description: str
    schema: dict[str, Any]


def settings() -> dict[str, Setting]:
    """Return ``{name: setting}`` in the order of the settings class."""
    properties = Settings.model_json_schema()
    documented = _documented()
    found = {}
    for field_name, field in Settings.model_fields.items():
        name = field_name.upper()
        default, description = documented.get(name, ("", ""))
        found[name] = Setting(
            name=name,
            place=_place(name, is_secret="SecretStr" in str(field.annotation)),
            default=default,
            description=description,
            schema=_schema(properties["properties"][field_name]),
        )
    return found


def schema_of(place: str) -> dict[str, Any]:
    """Return the JSON schema of a map of the settings of one place."""
    properties = {
        name: setting.schema | ({"description": setting.description} if setting.description else {})
        for name, setting in settings().items()
        if setting.place == place
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _place(name: str, *, is_secret: bool) -> str:
    if name in MADE_FROM:
        return MADE
    if name in UNUSED:
        return LEFT_OUT
    return SECRET if is_secret else CONFIG


def _schema(found: dict[str, Any]) -> dict[str, Any]:
    """Return what of a field's schema tells right from wrong; lists and maps may be given as text, too."""
    options = [option for option in found.get("anyOf", [found]) if option.get("type") != "null"]
    first = options[0]
    kept = ("type", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    schema = {key: value for key, value in first.items() if key in kept}
    if schema.get("type") in ("array", "object"):
        schema["type"] = [schema["type"], "string"]
    return schema


def _documented() -> dict[str, tuple[str, str]]:
    """Return ``{name: (default, description)}`` from the file of example settings."""
    found, comments = {}, list[str]()
    for line in ENV_EXAMPLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            if not line.startswith(HEADING):
                comments.append(line.removeprefix("# "))
            continue
        if named := re.fullmatch(r"([A-Z_]+)=(.*)", line):
            found[named.group(1)] = (named.group(2), " ".join(comments))
        comments = []
    return found

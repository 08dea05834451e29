"""Read the settings from the environment, with all faults reported together."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource

from pagoda.config.accounts import account_of, is_plugins
from pagoda.config.settings import Settings
from pagoda.errors import SettingsError
from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.washing import DoubledKey, without_doubles

OWN_PREFIXES = (
    *("PAGODA_", "PLUGIN_", "BACKEND_PLUGIN_"),
    *("BREAKER_", "JOB_", "RATE_LIMIT_", "HEALTH_", "ALERT_"),
)
"""Variables that begin so are ours: an unknown one is a typo and a fault."""

ENV_FILE = "PAGODA_ENV_FILE"
"""Names the file that holds settings for a development machine; ``.env`` unless set, empty for none."""


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `environ`, by default the process's environment and the ``.env`` file.

    Empty variables count as not set.

    Raises:
        SettingsError: it lists every fault with the variable's name; values of secrets are left out.
    """
    variables = _environment() if environ is None else dict(environ)
    faults = _unknown(variables)
    source = _Source(Settings, variables)
    values = source()
    if not values.get("pagoda_secret_key") and is_plugins(account_of(values.get("database_url"))):
        values["pagoda_secret_key"] = secrets.token_urlsafe(50)  # a plugin's worker signs nothing
    try:
        settings = Settings(**values)
    except ValidationError as error:
        faults += [_describe(detail) for detail in error.errors(include_url=False)]
        raise SettingsError(faults) from None  # the cause would show the values, secrets among them
    if faults:
        raise SettingsError(faults)
    return settings


class _Source(EnvSettingsSource):
    """Pydantic's environment source over a given mapping; broken JSON is left for validation to report."""

    def __init__(self, settings_class: type[Settings], variables: Mapping[str, str]) -> None:
        self._variables = {name.lower(): value for name, value in variables.items() if value.strip()}
        super().__init__(settings_class, case_sensitive=False)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._variables

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Return the decoded JSON, or `value` as it is when it is none.

        Raises:
            SettingsError: a name stands twice in an object, of which JSON would take the last.
        """
        try:
            json.loads(value, object_pairs_hook=without_doubles)
            return super().decode_complex_value(field_name, field, value)
        except DoubledKey as error:
            fault = f"{field_name.upper()} names {error.key!r} twice. Keep one of the two."
            raise SettingsError([fault]) from None
        except ValueError:
            return value


def _environment() -> dict[str, str]:
    path = Path(os.environ.get(ENV_FILE, ".env"))
    kept = dotenv_values(path) if path.is_file() else {}
    return {name: value for name, value in kept.items() if value is not None} | dict(os.environ)


def _unknown(variables: Mapping[str, str]) -> list[str]:
    known = {name.upper() for name in Settings.model_fields} | {ENV_FILE}
    return [
        f"{name} is not a setting.{near_misses(name, known)} Remove it; .env.example lists all settings."
        for name in sorted(variables)
        if name.startswith(OWN_PREFIXES) and name not in known
    ]


def _describe(detail: ErrorDetails) -> str:
    """Say what is wrong with one variable; the value is shown unless the field is a secret."""
    if not detail["loc"]:
        return detail["msg"].removeprefix("Value error, ")
    field, *inner = (str(part) for part in detail["loc"])
    where = f"{field.upper()}{''.join(f'[{part!r}]' for part in inner)}"
    problem = detail["msg"].removeprefix("Value error, ")
    if isinstance(detail["input"], str) and detail["type"] == "dict_type":
        problem = 'is no JSON object; expected one, such as {"name": ...}'
    if detail["input"] is None:
        return f"{where} is not set: {problem}."
    if _is_secret(field):
        return f"{where}: {problem} (its value is not shown)."
    return f"{where} is {detail['input']!r}: {problem[:1].lower()}{problem[1:]}."


def _is_secret(field: str) -> bool:
    return field == "plugin_settings" or "SecretStr" in str(Settings.model_fields[field].annotation)

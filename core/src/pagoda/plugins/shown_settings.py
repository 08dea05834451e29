"""The settings of a plugin as people may see them: what it takes, and what holds here, without secrets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Secret, SecretBytes, SecretStr
from pydantic_core import PydanticUndefined

from pagoda.config.scrubbing import is_secret_name
from pagoda_plugin_sdk.washing import FILTERED, washed, washed_json, without_secrets

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from pagoda.plugins.records import PluginRecord

VARIABLE = "PLUGIN_SETTINGS"
"""The variable of the environment that holds the settings of all plugins."""

VALUE_MAX_BYTES = 4_000
"""Bytes of a value that are shown, as JSON."""

_MAX_DEPTH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSetting:
    """A setting; values are JSON, secrets in them replaced."""

    name: str  # as VARIABLE has it
    type: str
    description: str
    is_required: bool
    is_secret: bool
    default: Any  # None where it is required or computed
    value: Any  # in this process; None where values are not asked for, or not here
    origin: str | None  # VARIABLE or "default"; None as above


def shown_settings(record: PluginRecord, *, with_values: bool) -> list[dict[str, Any]]:
    """Return the fields of a plugin's settings model as those of `ShownSetting`; none for one without."""
    model = record.declared.settings_model if record.declared else None
    return (
        []
        if model is None
        else [asdict(each) for each in _shown(model, record.settings if with_values else None)]
    )


def _shown(model: type[BaseModel], values: object) -> Iterator[ShownSetting]:
    held = values if isinstance(values, model) else None  # another plugin's worker has none
    for attribute, field in model.model_fields.items():
        name = field.validation_alias if isinstance(field.validation_alias, str) else attribute
        is_secret = _is_secret(field) or is_secret_name(attribute) or is_secret_name(name)
        origin = None
        if held is not None:
            origin = VARIABLE if attribute in held.model_fields_set else "default"
        yield ShownSetting(
            name=name,
            type=field.annotation.__name__
            if isinstance(field.annotation, type)
            else washed(field.annotation),
            description=washed(field.description or ""),
            is_required=field.is_required(),
            is_secret=is_secret,
            default=None if field.default is PydanticUndefined else _json(field.default, is_secret=is_secret),
            value=None if held is None else _json(vars(held).get(attribute), is_secret=is_secret),
            origin=origin,
        )
    for name, value in ((held and held.model_extra) or {}).items():  # of a model that allows more
        is_secret = is_secret_name(name)
        yield ShownSetting(
            name=washed(name),
            type="",
            description="",
            is_required=False,
            is_secret=is_secret,
            default=None,
            value=_json(value, is_secret=is_secret),
            origin=VARIABLE,
        )


def _is_secret(field: FieldInfo) -> bool:
    """Return whether the model says so: by a type of pydantic's, or by ``repr=False``."""
    return "Secret" in washed(field.annotation) or not field.repr


def _json(value: object, *, is_secret: bool) -> Any:
    return washed_json(_masked(value, 0, is_secret=is_secret), max_bytes=VALUE_MAX_BYTES)


def _masked(value: Any, depth: int, *, is_secret: bool) -> Any:
    """Return `value` made of lists and dicts with its secrets replaced.

    No serializer of a model is asked: those give out secrets, for the plugin's own use.
    """
    if value is None or isinstance(value, bool):
        return value
    if is_secret or isinstance(value, Secret | SecretBytes | SecretStr):
        return FILTERED
    if depth > _MAX_DEPTH:
        return "..."
    parts: dict[str, Any] = {}
    secret: set[str] = set()
    match value:
        case BaseModel():
            parts = {**vars(value), **(value.model_extra or {})}
            secret = {name for name, field in type(value).model_fields.items() if _is_secret(field)}
        case dict():
            parts = {washed(key): part for key, part in value.items()}
        case tuple() if hasattr(value, "_fields"):
            parts = dict(zip(value._fields, value, strict=True))
        case list() | tuple() | set() | frozenset():
            return [_masked(part, depth + 1, is_secret=False) for part in value]
        case int() | float():
            return value
        case _ if is_dataclass(value):
            parts = {each.name: getattr(value, each.name, None) for each in fields(value)}
        case _:
            return without_secrets(washed(value, VALUE_MAX_BYTES))
    return {
        name: _masked(part, depth + 1, is_secret=name in secret or is_secret_name(name))
        for name, part in parts.items()
    }

"""What tasks are given: a pydantic model that checks it, and the JSON schema that forms are made from.

A task that declares ``params_model`` gets no params that the model refuses, whoever submits its job. Its
operation, unless it is hidden, may be run from the API and from a form of the console.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pagoda_plugin_sdk.exceptions import ParamsRefused, PluginValidationError, near_misses
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.washing import washed

if TYPE_CHECKING:
    from pydantic import BaseModel  # the plugin's own dependency

__all__ = ["EntryReference", "ParamsRefused", "checked_params", "params_schema"]

SCHEMA_MAX_BYTES = 64_000
"""Bytes of a schema as JSON; it is sent with each description of its plugin."""

ENTRY_KEYWORD = "x-pagoda-entry"
"""Marks a number of a JSON schema as the id of an entry; its value is the name of the entity, "" for any."""


@dataclass(frozen=True, slots=True)
class EntryReference:
    """Marks a param as the id of an entry: ``Annotated[int, EntryReference("Host")]``.

    Forms take the entry's name and suggest those that the user may read. The task reads the entry with its
    user's rights, as any other.
    """

    entity: str = ""  # the name of the only entity that is suggested

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], dict[str, Any]]) -> Any:
        """Return the schema of the number with the mark. Any: pydantic's own."""
        return {**handler(schema), ENTRY_KEYWORD: self.entity}


def model_faults(field: str, value: Any) -> Iterator[str]:
    """Refuse all but model classes. Who has one has imported pydantic, which the SDK itself does without."""
    base = getattr(sys.modules.get("pydantic"), "BaseModel", None)
    is_model = isinstance(value, type) and base is not None and issubclass(value, base)
    if value is not None and (not is_model or value is base):
        yield f"`{field}` is {value!r}, expected a subclass of pydantic.BaseModel (the class) or None"


def checked_params[M: BaseModel](model: type[M], params: Mapping[str, Any] | str) -> M:
    """Return params, JSON values or their text, as an instance of their model.

    Raises:
        ParamsRefused: they do not fit; a name that the model does not know is a fault unless the model says
            itself what becomes of others (``extra``).
        Exception: whatever a validator of the model's raises that pydantic makes no fault of.
    """
    text = params if isinstance(params, str) else json.dumps(dict(params))
    faults = dict(_unknown(model, json.loads(text)))
    try:
        made = model.model_validate_json(text)
    except ValueError as error:
        if not hasattr(error, "errors"):  # none of pydantic's
            raise
        for field, message in _told(error):
            faults.setdefault(field, []).append(message)
    if faults:
        raise ParamsRefused(faults)
    return made


def params_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a model of params.

    Raises:
        PluginValidationError: there is none, or it is no use as one.
    """
    try:
        schema = model.model_json_schema()
        size = len(json.dumps(schema, allow_nan=False).encode())
    except Exception as error:
        raise PluginValidationError(
            f"`params_model` {model.__name__} has no JSON schema: {washed(error)}"
        ) from error
    if size > SCHEMA_MAX_BYTES:
        raise PluginValidationError(
            f"`params_model` {model.__name__} has a JSON schema of {size:,} bytes, "
            f"expected {SCHEMA_MAX_BYTES:,} at most"
        )
    if "properties" not in schema and schema.get("type") != "object":
        raise PluginValidationError(
            f"`params_model` {model.__name__} describes no object, expected a model with fields"
        )
    return schema


def _unknown(model: type[BaseModel], given: object) -> Iterator[tuple[str, list[str]]]:
    if model.model_config.get("extra") is not None or not isinstance(given, dict):
        return
    known = {*model.model_fields}
    for field in model.model_fields.values():
        known |= {each for each in (field.alias, field.validation_alias) if isinstance(each, str)}
    if any(not isinstance(f.validation_alias, str | None) for f in model.model_fields.values()):
        return  # a path, or a choice of names: only the model knows them
    for key in given:
        if key not in known:
            yield washed(key, 200), [say("There is no such param.{hint}", hint=near_misses(key, known))]


def _told(error: ValueError) -> Iterator[tuple[str, str]]:
    """Yield field and message of each fault of a validation, without what was given."""
    find = cast("Callable[..., list[dict[str, Any]]]", error.errors)  # type: ignore[attr-defined]  # pydantic's
    for fault in find(include_url=False, include_input=False, include_context=False):
        yield ".".join(str(part) for part in fault["loc"]), washed(fault["msg"])

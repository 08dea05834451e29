"""Hold the defaults of a plugin's models against their own fields, as pydantic checks none when it is run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, get_args

from pagoda_plugin_sdk.checking.findings import CheckFinding

if TYPE_CHECKING:
    from pydantic import BaseModel  # the plugin's own dependency
    from pydantic.fields import FieldInfo


def default_findings(what: str, model: type[BaseModel], code: str) -> Iterator[CheckFinding]:
    """Yield what is wrong with the defaults of a model and of those that its fields hold.

    `what` names the model, such as "`settings_model`". A default that its field refuses is a fault; one that
    validation would make another value of is a warning. No value is shown: it may be a secret.
    """
    for each in _with_inner_models(model, []):
        for name, field in each.model_fields.items():
            found = None if _is_validated(each, field) else _wrong_default(field)
            if found is not None:
                text = f"{what} {each.__name__}: the default of `{name}` {found[0]}"
                yield CheckFinding(code=code, text=text, is_warning=found[1])


def _with_inner_models(model: type[BaseModel], seen: list[type[BaseModel]]) -> list[type[BaseModel]]:
    """Return `seen`, with the model and all that its fields hold added once."""
    if model not in seen:
        seen.append(model)
        base = sys.modules["pydantic"].BaseModel
        for field in model.model_fields.values():
            for hint in _parts(field.annotation):
                if isinstance(hint, type) and issubclass(hint, base):
                    _with_inner_models(hint, seen)
    return seen


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    for part in get_args(hint):
        yield from _parts(part)


def _is_validated(model: type[BaseModel], field: FieldInfo) -> bool:
    """Return whether there is no default, or the model itself checks it when it is made."""
    configured = model.model_config.get("validate_default", False)
    is_checked = configured if field.validate_default is None else field.validate_default
    return bool(is_checked) or field.is_required() or field.default_factory_takes_validated_data is True


def _wrong_default(field: FieldInfo) -> tuple[str, bool] | None:
    """Return what is wrong, and whether it is a warning; None: nothing, as far as the field alone tells."""
    pydantic = sys.modules["pydantic"]
    try:
        default = field.get_default(call_default_factory=True)
        trial = pydantic.create_model(
            "Trial",
            __config__=pydantic.ConfigDict(arbitrary_types_allowed=True),
            value=(field.rebuild_annotation(), ...),
        )
        made = trial.model_validate({"value": default}).value
        is_same = _is_same(default, made)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]["msg"]
        return f"is refused by its own type: {first}. Pydantic checks no defaults: correct it.", False
    except Exception:  # noqa: BLE001 - a validator that is for given values, a type that only its model knows
        return None
    if is_same:
        return None
    kinds = dict.fromkeys(type(value).__name__ for value in (default, made))
    told = f"is {' and stays it, where a value that is given becomes '.join(kinds)}"
    if len(kinds) == 1:
        told = "is not what a value that is given becomes"
    return f"{told}: pydantic checks no defaults. Write it as that, or set validate_default=True.", True


def _is_same(default: Any, made: Any) -> bool:
    if isinstance(default, int) and not isinstance(default, bool) and isinstance(made, float):
        return True  # what a float is written as
    return type(default) is type(made) and bool(default is made or default == made)

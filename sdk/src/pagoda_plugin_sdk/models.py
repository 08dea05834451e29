"""The host's models, as plugins see them.

In a host each name is the host's class itself, from the first line of ``plugin.py`` on. Without one it is a
placeholder: using it raises `ModelsNotInjected`, and it stands for the model once a test injects one. Types
are the Protocols of `pagoda_plugin_sdk.protocols`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Union

from pagoda_plugin_sdk.exceptions import ModelsNotInjected, PluginValidationError

if TYPE_CHECKING:
    from pagoda_plugin_sdk.protocols import AttributeProtocol as Attribute
    from pagoda_plugin_sdk.protocols import AttributeValueProtocol as AttributeValue
    from pagoda_plugin_sdk.protocols import EntityAttrProtocol as EntityAttr
    from pagoda_plugin_sdk.protocols import EntityProtocol as Entity
    from pagoda_plugin_sdk.protocols import EntryProtocol as Entry
    from pagoda_plugin_sdk.protocols import JobProtocol as Job
    from pagoda_plugin_sdk.protocols import UserProtocol as User

__all__ = ["Attribute", "AttributeValue", "Entity", "EntityAttr", "Entry", "Job", "User"]

MODEL_NAMES = ("Entity", "Entry", "EntityAttr", "Attribute", "AttributeValue", "User", "Job")


class ModelPlaceholder:
    """Stands for a model where there is no host, and for what is injected: attributes, calls, isinstance."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def _resolved(self) -> type[Any]:
        if self._name not in _injected:
            raise ModelsNotInjected(
                f"Model {self._name!r} is not available yet: no host has injected its models. "
                "Use it inside functions that run once the host is up (hooks, views, tasks), "
                "or call pagoda_plugin_sdk.models.inject() in a test."
            )
        return _injected[self._name]

    def __getattr__(self, attribute: str) -> Any:
        if self._name not in _injected and attribute.startswith("_"):
            raise AttributeError(attribute)  # introspection (inspect, typing, mock) is not a use
        return getattr(self._resolved(), attribute)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._resolved()(*args, **kwargs)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._resolved())

    def __subclasscheck__(self, subclass: type) -> bool:
        return issubclass(subclass, self._resolved())

    # What annotations and copies do with a class

    def __or__(self, other: Any) -> Any:
        return Union[self, other]  # noqa: UP007 - `|` is what this answers

    def __ror__(self, other: Any) -> Any:
        return Union[other, self]  # noqa: UP007

    def __reduce__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"<{self._name}: {_injected.get(self._name, 'not injected yet')}>"


_injected: dict[str, type[Any]] = {}  # any Django model class of the host
_placeholders = {name: ModelPlaceholder(name) for name in MODEL_NAMES}


class _Naming:
    is_late = False  # whether names are placeholders even where a host has injected its models


_naming = _Naming()


def bind_late() -> None:
    """Have names stand for what is injected when they are used, for tests with several hosts."""
    _naming.is_late = True


def __getattr__(name: str) -> Any:
    if name not in _placeholders:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _placeholders[name] if _naming.is_late else _injected.get(name, _placeholders[name])


def inject(models: Mapping[str, type[Any]]) -> None:
    """Bind the names to the host's model classes: ``{"Entity": EntityModel, ...}``. Idempotent.

    A host calls it before it loads plugin code, which imports these names.

    Raises:
        PluginValidationError: a name that is not one of `MODEL_NAMES`; nothing is bound then.
    """
    unknown = sorted(set(models) - set(MODEL_NAMES))
    if unknown:
        raise PluginValidationError(f"Unknown model names {unknown!r}; expected some of {MODEL_NAMES!r}.")
    _injected.update(models)


def reset() -> None:
    """Unbind every name, for tests."""
    _injected.clear()


def is_initialized() -> bool:
    """Return whether every model is bound."""
    return len(_injected) == len(MODEL_NAMES)


def get_available_models() -> list[str]:
    """Return the names that are bound, in the order of `MODEL_NAMES`."""
    return [name for name in MODEL_NAMES if name in _injected]


def injected_models() -> dict[str, type[Any]]:
    """Return what is bound, by name."""
    return dict(_injected)

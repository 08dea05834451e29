"""The host's models, as plugins see them.

Each name is bound late: it may be imported at the top of ``plugin.py`` and works once the host is up.
Before that, using it raises `ModelsNotInjected`. Types are the Protocols of `pagoda_plugin_sdk.protocols`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pagoda_plugin_sdk.exceptions import ModelsNotInjected, PluginValidationError

if TYPE_CHECKING:
    from pagoda_plugin_sdk import protocols

MODEL_NAMES = ("Entity", "Entry", "EntityAttr", "Attribute", "AttributeValue", "User", "Job")


class ModelProxy:
    """Stands for a host model: attributes, calls and ``isinstance`` reach the model itself."""

    __slots__ = ("_model", "_name")

    def __init__(self, name: str) -> None:
        self._name = name
        self._model: type[Any] | None = None  # any Django model class of the host

    def _resolved(self) -> type[Any]:
        if self._model is None:
            raise ModelsNotInjected(
                f"Model {self._name!r} is not available yet: no host has injected its models. "
                "Use it inside functions that run once the host is up (hooks, views, tasks), "
                "or call pagoda_plugin_sdk.models.inject() in a test."
            )
        return self._model

    def __getattr__(self, attribute: str) -> Any:
        if self._model is None and attribute.startswith("__"):
            raise AttributeError(attribute)  # introspection (inspect, typing, mock) is not a use
        return getattr(self._resolved(), attribute)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._resolved()(*args, **kwargs)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._resolved())

    def __subclasscheck__(self, subclass: type) -> bool:
        return issubclass(subclass, self._resolved())

    def __repr__(self) -> str:
        return f"<{self._name}: {self._model if self._model is not None else 'not injected yet'}>"


if TYPE_CHECKING:
    Entity: type[protocols.EntityProtocol]
    Entry: type[protocols.EntryProtocol]
    EntityAttr: type[protocols.EntityAttrProtocol]
    Attribute: type[protocols.AttributeProtocol]
    AttributeValue: type[protocols.AttributeValueProtocol]
    User: type[protocols.UserProtocol]
    Job: type[protocols.JobProtocol]
else:
    Entity = ModelProxy("Entity")
    Entry = ModelProxy("Entry")
    EntityAttr = ModelProxy("EntityAttr")
    Attribute = ModelProxy("Attribute")
    AttributeValue = ModelProxy("AttributeValue")
    User = ModelProxy("User")
    Job = ModelProxy("Job")


def _proxies() -> dict[str, ModelProxy]:
    return {name: globals()[name] for name in MODEL_NAMES}


def inject(models: Mapping[str, type[Any]]) -> None:
    """Bind the names to the host's model classes: ``{"Entity": EntityModel, ...}``. Idempotent.

    Raises:
        PluginValidationError: a name that is not one of `MODEL_NAMES`; nothing is bound then.
    """
    unknown = sorted(set(models) - set(MODEL_NAMES))
    if unknown:
        raise PluginValidationError(f"Unknown model names {unknown!r}; expected some of {MODEL_NAMES!r}.")
    proxies = _proxies()
    for name, model in models.items():
        proxies[name]._model = model  # noqa: SLF001 - of this module


def reset() -> None:
    """Unbind every name, for tests."""
    for proxy in _proxies().values():
        proxy._model = None  # noqa: SLF001 - of this module


def is_initialized() -> bool:
    """Return whether every model is bound."""
    return len(get_available_models()) == len(MODEL_NAMES)


def get_available_models() -> list[str]:
    """Return the names that are bound, in the order of `MODEL_NAMES`."""
    return [name for name, proxy in _proxies().items() if proxy._model is not None]  # noqa: SLF001 - of this module

"""The 17 hooks: their names, kinds and arguments, and the rules a handler's signature must meet."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType, MappingProxyType, MethodType
from typing import Any, Literal

from pagoda_plugin_sdk.exceptions import PluginValidationError, UnknownHook, near_misses

Subject = Literal["entry", "entity"]

_NEEDS_A_CLOSER_LOOK = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_GENERATOR


class HookKind(enum.Enum):
    """What a hook's handlers may do, and what the failure of one means."""

    TRANSFORM = "transform"  # a returned dict replaces the data, for the next handler too
    NOTIFY = "notify"  # the result is ignored, a failure is contained
    VETO = "veto"  # ValueError, ValidationError or HookRejected refuses the write
    FILTER = "filter"  # a returned list replaces the attributes, for the next handler too


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSpec:
    """One hook of the contract."""

    name: str  # "entry.after_create"
    kind: HookKind
    subject: Subject  # whose lifecycle it belongs to
    arguments: tuple[str, ...]  # positional, in the order in which handlers receive them

    @property
    def is_before(self) -> bool:
        """Return whether it runs before the write and so may refuse it with `HookRejected`."""
        return ".before_" in self.name

    @property
    def is_after(self) -> bool:
        """Return whether it runs after the write; only such handlers may be deferred."""
        return ".after_" in self.name


def _spec(name: str, kind: HookKind, *arguments: str) -> HookSpec:
    subject: Subject = "entry" if name.startswith("entry.") else "entity"
    return HookSpec(name=name, kind=kind, subject=subject, arguments=arguments)


_SPECS = (
    _spec("entry.before_create", HookKind.TRANSFORM, "entity_name", "user", "validated_data"),
    _spec("entry.after_create", HookKind.NOTIFY, "entity_name", "user", "entry"),
    _spec("entry.before_update", HookKind.TRANSFORM, "entity_name", "user", "validated_data", "entry"),
    _spec("entry.after_update", HookKind.NOTIFY, "entity_name", "user", "entry"),
    _spec("entry.before_delete", HookKind.NOTIFY, "entity_name", "user", "entry"),
    _spec("entry.after_delete", HookKind.NOTIFY, "entity_name", "user", "entry"),
    _spec("entry.before_restore", HookKind.NOTIFY, "entity_name", "user", "entry"),
    _spec("entry.after_restore", HookKind.NOTIFY, "entity_name", "user", "entry"),
    _spec("entity.before_create", HookKind.TRANSFORM, "user", "validated_data"),
    _spec("entity.after_create", HookKind.NOTIFY, "user", "entity"),
    _spec("entity.before_update", HookKind.TRANSFORM, "user", "validated_data", "entity"),
    _spec("entity.after_update", HookKind.NOTIFY, "user", "entity"),
    _spec("entity.before_delete", HookKind.NOTIFY, "user", "entity"),
    _spec("entity.after_delete", HookKind.NOTIFY, "user", "entity"),
    _spec("entry.validate", HookKind.VETO, "user", "schema_name", "name", "attrs", "instance"),
    _spec("entry.get_attrs", HookKind.FILTER, "entry", "attrinfo", "is_retrieve"),
    _spec("entity.get_attrs", HookKind.FILTER, "entity", "attrinfo"),
)

HOOK_SPECS: Mapping[str, HookSpec] = MappingProxyType({spec.name: spec for spec in _SPECS})
"""``{hook name: spec}`` for each of the 17 hooks."""


def _legacy_name(spec: HookSpec) -> str:
    subject, event = spec.name.split(".")
    return f"{event}_{subject}_v2"


HOOK_ALIASES: Mapping[str, str] = MappingProxyType(
    {_legacy_name(spec): spec.name for spec in _SPECS if spec.is_before or spec.is_after}
    | {
        "validate_entry": "entry.validate",
        "get_entry_attr": "entry.get_attrs",
        "get_entity_attr": "entity.get_attrs",
    }
)
"""``{legacy name: hook name}``; a legacy name is accepted wherever a hook is named."""


def resolve_hook_name(name: str) -> str:
    """Return the hook that `name`, a hook's name or its legacy alias, stands for.

    Raises:
        UnknownHook: nothing has that name; the message lists the closest ones.
    """
    if not isinstance(name, str):
        raise UnknownHook(f"A hook is named by {name!r}, expected a text, such as 'entry.after_create'.")
    if name in HOOK_SPECS:
        return name
    if name in HOOK_ALIASES:
        return HOOK_ALIASES[name]
    raise UnknownHook(
        f"Unknown hook {name!r}.{near_misses(name, [*HOOK_SPECS, *HOOK_ALIASES])} "
        f"The hooks are: {', '.join(HOOK_SPECS)}."
    )


def check_signature(spec: HookSpec, handler: Callable[..., Any]) -> None:
    """Check that the bound `handler` can be called with the positional arguments of `spec`.

    Raises:
        PluginValidationError: it can't; the message shows both sides and the remedy.
    """
    fault = call_fault(handler, spec.arguments, ", ".join(("self", *spec.arguments, "**kwargs")))
    if fault is not None:
        raise PluginValidationError(f"Handler {_label(handler)} of hook {spec.name!r} {fault}.")


def call_fault(function: Callable[..., Any], arguments: Sequence[str], written: str) -> str | None:
    """Return what is wrong with a function that is called with these positional arguments; None: nothing.

    The text goes on from the function's name; `written` is how the arguments are to be written.
    """
    if takes_plainly(function, len(arguments)):
        return None
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return "is a coroutine function, and is called without `await`. Write it with `def`"
    if inspect.isgeneratorfunction(function):
        return "has a `yield`, so that a call runs nothing of it. Write it without"
    if inspect.isclass(function):
        return "is a class, so that a call makes an object and runs nothing else of it. Write a function"
    for follows in (False, True):  # what a decorator made is called first, and is to call what it wraps
        try:
            signature = inspect.signature(function, follow_wrapped=follows)
        except ValueError:  # something built in, which tells none
            continue
        try:
            signature.bind(*arguments)
        except TypeError as error:
            fault = f"has the signature {signature} and can't take its arguments ({error})"
            return f"{fault}. Expected: ({written})"
    return None


def entity_name_of(spec: HookSpec, args: Sequence[Any]) -> str | None:
    """Return the name of the entity that the arguments of this hook name; None when they name none.

    Any: a hook's arguments are data of every type.
    """
    given = dict(zip(spec.arguments, args, strict=False))
    for name in ("entity_name", "schema_name"):
        if name in given:
            return _text(given[name])
    if "entity" in given:
        return _text(getattr(given["entity"], "name", None))
    if "entry" in given:
        return _text(getattr(getattr(given["entry"], "schema", None), "name", None))
    data = given.get("validated_data")
    return _text(data.get("name")) if isinstance(data, dict) else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def takes_plainly(handler: Callable[..., Any], count: int) -> bool:
    """Return whether a look at the code settles that `handler` takes `count` positional arguments.

    It settles nearly all, at a twentieth of what `inspect.signature` costs at start-up.
    """
    function = handler.__func__ if isinstance(handler, MethodType) else handler
    if not isinstance(function, FunctionType) or hasattr(function, "__wrapped__"):
        return False
    code = function.__code__
    if code.co_flags & _NEEDS_A_CLOSER_LOOK or code.co_kwonlyargcount:
        return False
    most = code.co_argcount - isinstance(handler, MethodType)
    least = most - len(function.__defaults__ or ())
    return least <= count and (count <= most or bool(code.co_flags & inspect.CO_VARARGS))


def _label(handler: Callable[..., Any]) -> str:
    return f"{handler.__module__}.{getattr(handler, '__qualname__', repr(handler))}"

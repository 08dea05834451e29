"""What a class of views lacks, so that it can answer no request, or none of one kind."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured

_LIBRARIES = ("django.", "rest_framework.", "pagoda_plugin_sdk.")
_LISTS = (
    *("authentication_classes", "parser_classes", "permission_classes", "renderer_classes"),
    "throttle_classes",
)
_READS = ("list", "retrieve", "update", "destroy")  # methods of REST framework's mixins that need rows
_WRITES = ("list", "retrieve", "update", "create")  # and those that need a serializer


def class_faults(cls: type, actions: Mapping[str, str]) -> Iterator[str]:
    """Yield what is missing; the text goes on from the class's name, and before "from its path".

    `actions` are those of a view set, ``{HTTP method: name of the method}``, empty for another view.
    """
    yield from _list_faults(cls)
    yield from _serializer_faults(cls)
    verbs = [verb for verb in getattr(cls, "http_method_names", ()) if verb != "options"]
    if not actions and _is_of_library(cls, "dispatch") and not any(hasattr(cls, verb) for verb in verbs):
        yield "has no method for any kind of request (get, post, ...), and answers 405 to what comes"
    called = [*actions.values()] if actions else [*_READS, *_WRITES]
    for attribute, getter, users in (
        ("queryset", "get_queryset", _READS),
        ("serializer_class", "get_serializer_class", _WRITES),
    ):
        is_used = any(_module(cls, name) == "rest_framework.mixins" for name in users if name in called)
        if is_used and getattr(cls, attribute, None) is None and _is_of_library(cls, getter):
            yield f"has neither `{attribute}` nor `{getter}`, which it needs for what comes"


def _list_faults(cls: type) -> Iterator[str]:
    for name in _LISTS:
        value = getattr(cls, name, ())
        if hasattr(type(value), "__get__") and not callable(value):
            continue  # a property: nothing is known
        if not isinstance(value, Iterable):
            yield f"has {value!r} as `{name}`, expected a list of classes; it fails on what comes"
        elif wrong := [each for each in value if not callable(each)]:
            kind = type(wrong[0]).__name__
            yield f"has a {kind} in `{name}`, expected a class, not an instance; it fails on what comes"


def _serializer_faults(cls: type) -> Iterator[str]:
    """Yield what REST framework says of how the serializer is declared; it asks when one is first used."""
    serializer = getattr(cls, "serializer_class", None)
    if not inspect.isclass(serializer) or not _is_of_library(cls, "get_serializer_class"):
        return
    declared: Any = serializer
    try:
        _ = declared().fields
    except (AssertionError, ImproperlyConfigured) as error:
        told = " ".join(str(error).split()).rstrip(".")
        yield f"has the serializer {serializer.__name__}, which fails: {told}; it is for what comes"
    except Exception:  # noqa: BLE001 - one that wants a request: nothing is known
        return


def _is_of_library(cls: type, name: str) -> bool:
    return _module(cls, name).startswith(_LIBRARIES)


def _module(cls: type, name: str) -> str:
    return getattr(getattr(cls, name, None), "__module__", None) or ""

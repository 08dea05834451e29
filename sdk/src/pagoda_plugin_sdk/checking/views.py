"""What a class of views lacks, so that it can answer no request, or none of one kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_LIBRARIES = ("django.", "rest_framework.", "pagoda_plugin_sdk.")
_READS = ("list", "retrieve", "update", "destroy")  # methods of REST framework's mixins that need rows
_WRITES = ("list", "retrieve", "update", "create")  # and those that need a serializer


def class_faults(cls: type, actions: Mapping[str, str]) -> Iterator[str]:
    """Yield what is missing; the text goes on from the class's name, and before "from its path".

    `actions` are those of a view set, ``{HTTP method: name of the method}``, empty for another view.
    """
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


def _is_of_library(cls: type, name: str) -> bool:
    return _module(cls, name).startswith(_LIBRARIES)


def _module(cls: type, name: str) -> str:
    return getattr(getattr(cls, name, None), "__module__", None) or ""

"""What protects the host's objects from what handlers do to them in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import DatabaseError
from django.db.models import Model
from django.utils.functional import LazyObject

_MEMORY = "_pagoda_memory"  # on an object, while handlers have it: what it was before, whether it is pending


def remembering[T](objects: Sequence[object], run: Callable[[], T], *, is_pending: bool) -> T:
    """Return what `run`, the dispatch of a hook, returns, with these objects remembered as they are now.

    Inside, a handler that fails has its changes of the objects undone. At the end what handlers changed of
    fields in memory, and nobody stored, is undone, so that the host goes on with what is stored. With
    `is_pending` the objects may hold what the host is about to store, and keep it.
    """
    kept = [held for held in map(_loaded, objects) if held is not None]
    outer = [held.__dict__.get(_MEMORY) for held in kept]
    for held in kept:
        held.__dict__[_MEMORY] = (held.__dict__.copy(), is_pending)
    try:
        return run()
    finally:
        for held, memory in zip(kept, outer, strict=True):
            before, _ = held.__dict__.pop(_MEMORY)
            if memory is not None:
                held.__dict__[_MEMORY] = memory
            _reset_fields(held, _changed(held, before), before, is_pending=is_pending)


def restore(args: Sequence[object]) -> None:
    """Make the objects among a hook's arguments what they were before a handler that failed.

    That is what is stored now: a handler before it may have stored something.
    """
    for held in map(_loaded, args):
        if held is None:
            continue
        before, is_pending = held.__dict__.get(_MEMORY, (None, False))
        changed = _field_names(held) if before is None else _changed(held, before)
        _reset_fields(held, changed, before or {}, is_pending=is_pending)
        held._state.fields_cache.clear()  # related objects may have been changed, too
        held.__dict__.pop("_prefetched_objects_cache", None)


def _loaded(held: object) -> Model | None:
    """Return an argument that is a stored object, None for all else; a user may be read when first used."""
    if isinstance(held, LazyObject):
        held = held.__dict__.get("_wrapped")
    return held if isinstance(held, Model) else None


def _field_names(held: Model) -> list[str]:
    return [field.attname for field in held._meta.concrete_fields if field.attname in held.__dict__]


def _changed(held: Model, before: Mapping[str, Any]) -> list[str]:
    return [name for name in _field_names(held) if name in before and held.__dict__[name] != before[name]]


def _reset_fields(held: Model, names: Sequence[str], before: Mapping[str, Any], *, is_pending: bool) -> None:
    stored = _stored(held, before, names) if names else {}
    for name in names:
        if not is_pending:
            held.__dict__[name] = stored.get(name, before.get(name, held.__dict__[name]))
        elif name not in stored or stored[name] != held.__dict__[name]:
            held.__dict__[name] = before[name]


def _stored(held: Model, before: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return what is stored of these fields now: without what a failed handler wrote, which is undone."""
    key = before.get(held._meta.pk.attname, held.pk)
    try:
        return type(held)._base_manager.filter(pk=key).values(*names).first() or {}
    except DatabaseError:
        return {}  # the transaction is broken, and so nothing of it will be stored

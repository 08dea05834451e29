"""The services that delete entries softly and restore them."""

from __future__ import annotations

from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from pagoda.domain import changes
from pagoda.domain.changes import Action, Change
from pagoda.domain.entry.models import AttributeReference, Entry
from pagoda.domain.user.models import User
from pagoda.domain.writing import writing


def delete_entry(entry: Entry, user: User | None) -> list[Entry]:
    """Delete `entry` softly with what its attributes say is deleted in a chain; return all that were deleted.

    An entry that something else still refers to stays. Deleting what is deleted does nothing.

    Raises:
        HookRejected: a plugin refuses; nothing is deleted.
    """
    with writing(user) as actor:
        ids = _chain(entry.pk)
        doomed = {row.pk: row for row in Entry.objects.active().filter(pk__in=ids).select_related("schema")}
        if entry.pk not in doomed:
            entry.is_active = False
            return []
        doomed[entry.pk] = entry
        deleted = [doomed[pk] for pk in ids if pk in doomed]
        told = [_change(row, "delete", actor) for row in deleted]
        for change in told:
            changes.send_changing(change)
        for row, change in zip(deleted, told, strict=True):
            row.is_active = False
            changes.store(change, update_fields=["is_active", "updated_time"])
    return deleted


def restore_entry(entry: Entry, user: User | None) -> Entry:
    """Undo the deletion of `entry` and return it; what was deleted with it stays deleted.

    Raises:
        ValidationError: its name was taken meanwhile, or its entity is deleted.
        HookRejected: a plugin refuses; the entry stays deleted.
    """
    with writing(user) as actor:
        stored = Entry.objects.select_related("schema").get(pk=entry.pk)
        if not stored.is_active:
            _refuse_restoring(stored)
            change = _change(entry, "restore", actor)
            changes.send_changing(change)
            entry.is_active = True
            changes.store(change, update_fields=["is_active", "updated_time"])
    entry.is_active = True
    return entry


def _refuse_restoring(entry: Entry) -> None:
    if not entry.schema.is_active:
        message = f"Entity {entry.schema.name!r} is deleted; restore it before its entry {entry.name!r}."
        raise ValidationError({"schema": [message]}, code="deleted")
    if Entry.objects.active().filter(schema=entry.schema, name=entry.name).exists():
        message = (
            f"Entity {entry.schema.name!r} has another entry {entry.name!r} by now; rename that one first."
        )
        raise ValidationError({"name": [message]}, code="taken")


def _chain(root: int) -> list[int]:
    """Return the ids of what is deleted with the entry `root`, itself first."""
    kept: set[int] = set()
    while True:
        reached = _reached(root, kept)
        outside = _referred_from_outside(reached[1:], reached)
        if not outside:
            return reached
        kept |= outside


def _reached(root: int, kept: Collection[int]) -> list[int]:
    reached = [root]
    frontier = [root]
    while frontier:
        targets = _references().filter(
            value__parent_attr__schema__is_delete_in_chain=True,
            value__parent_entry__in=frontier,
            entry__is_active=True,
        )
        found = set(targets.values_list("entry", flat=True))
        frontier = sorted(found - set(reached) - set(kept))
        reached += frontier
    return reached


def _referred_from_outside(ids: Collection[int], inside: Collection[int]) -> set[int]:
    if not ids:
        return set()
    references = _references().filter(entry__in=ids, value__parent_entry__is_active=True)
    return set(references.exclude(value__parent_entry__in=inside).values_list("entry", flat=True))


def _references() -> QuerySet[AttributeReference]:
    return AttributeReference.objects.filter(
        value__is_latest=True, value__is_active=True, value__parent_attr__schema__is_active=True
    )


def _change(entry: Entry, action: Action, user: User | None) -> Change:
    return Change(
        subject="entry", action=action, instance=entry, user=user, data={}, entity_name=entry.entity_name
    )

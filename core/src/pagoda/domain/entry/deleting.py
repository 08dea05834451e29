"""The services that delete entries softly and restore them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import batched
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import ProtectedError
from django.utils import timezone

from pagoda.domain import changes
from pagoda.domain.access.checks import called, refuse_hidden, require, require_deleting
from pagoda.domain.access.querysets import readable, readable_with_levels
from pagoda.domain.changes import Action, Change, writing
from pagoda.domain.entity.models import EntityAttr
from pagoda.domain.entry.models import Attribute, AttributeReference, AttributeValue, Entry
from pagoda.domain.user.models import Level
from pagoda.domain.user.permissions import Viewer, person
from pagoda_plugin_sdk.rules.chain import Reference, chain
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.text import spellings

_BATCH_SIZE: Final = 5_000  # SQLite takes 32,766 parameters in a query, PostgreSQL 65,535


def delete_entry(entry: Entry, user: Viewer | None) -> list[Entry]:
    """Delete `entry` softly with what its attributes say is deleted in a chain; return all that were deleted.

    An entry that something else still refers to stays. Deleting what is deleted does nothing. Each has its
    hooks; the queries do not grow in number with the chain; ``post_save`` is sent for `entry` alone.

    Raises:
        PermissionDenied: `user` may not delete it, or not what is deleted along; nothing is deleted.
        EntryProtected: something that stays refers to it by an attribute that says ``protect``.
        HookRejected: a plugin refuses; nothing is deleted.
    """
    return delete_entries([entry], user)


def delete_entries(entries: Sequence[Entry], user: Viewer | None) -> list[Entry]:
    """Delete many as `delete_entry` deletes one, all or none; ``post_save`` is sent for one alone.

    Raises:
        HookRejected: a plugin refuses one of them; nothing is deleted.
    """
    given = {entry.pk: entry for entry in entries}
    deleted: list[Entry] = []
    with writing(user) as actor:
        for batch in batched(given, _BATCH_SIZE):
            deleted += _delete(batch, given, actor)
    for entry in entries:
        entry.is_active = False
    return deleted


def _delete(roots: Collection[int], given: dict[int, Entry], user: Viewer | None) -> list[Entry]:
    rows = [given.get(row.pk, row) for row in _doomed(roots, user)]
    told = [_change(row, "delete", user) for row in rows]
    for change in told:
        changes.send_changing(change)
    saved = given if len(given) == 1 else {}
    along = [row.pk for row in rows if row.pk not in saved]
    for batch in batched(along, _BATCH_SIZE):
        Entry.objects.filter(pk__in=batch).update(is_active=False, updated_time=timezone.now())
    for row, change in zip(rows, told, strict=True):
        row.is_active = False
        if row.pk in saved:
            changes.store(change, update_fields=["is_active", "updated_time"])
        else:
            changes.mark(change)
    return rows


def restore_entry(entry: Entry, user: Viewer | None) -> Entry:
    """Undo the deletion of `entry` and return it; what was deleted with it stays deleted.

    Raises:
        PermissionDenied: `user` has not Full on it.
        ValidationError: its name was taken meanwhile, or its entity is deleted.
        HookRejected: a plugin refuses; the entry stays deleted.
    """
    with writing(user) as actor:
        stored = Entry.objects.select_related("schema").get(pk=entry.pk)
        require(actor, stored, Level.FULL)
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
        message = say(
            "Entity {schema!r} is deleted; restore it before its entry {entry!r}.",
            schema=entry.schema.name,
            entry=entry.name,
        )
        raise ValidationError({"schema": ValidationError(message, code="deleted")})
    if Entry.objects.active().filter(schema=entry.schema, name__in=spellings([entry.name])).exists():
        message = say(
            "Entity {schema!r} has another entry {entry!r} by now; rename that one first.",
            schema=entry.schema.name,
            entry=entry.name,
        )
        raise ValidationError({"name": ValidationError(message, code="taken")})


# The references to what a chain from the roots leads to.
_REFERENCES_SQL: Final = """
WITH RECURSIVE reached(id) AS (
  SELECT id FROM {entry} WHERE id IN ({roots})
  UNION
  SELECT target.id FROM reached
  JOIN {value} held ON held.parent_entry_id = reached.id AND held.is_latest AND held.is_active
  JOIN {attribute} attr ON attr.id = held.parent_attr_id
  JOIN {schema} rule ON rule.id = attr.schema_id AND rule.is_active AND rule.is_delete_in_chain
  JOIN {reference} ref ON ref.value_id = held.id
  JOIN {entry} target ON target.id = ref.entry_id AND target.is_active
)
SELECT held.parent_entry_id, ref.entry_id, rule.id, rule.is_delete_in_chain, rule.on_delete
FROM {reference} ref
JOIN {value} held ON held.id = ref.value_id AND held.is_latest AND held.is_active
JOIN {attribute} attr ON attr.id = held.parent_attr_id
JOIN {schema} rule ON rule.id = attr.schema_id AND rule.is_active
JOIN {entry} holder ON holder.id = held.parent_entry_id AND holder.is_active
WHERE ref.entry_id IN (SELECT id FROM reached)
"""
_TABLES: Final = {
    "entry": Entry._meta.db_table,
    "value": AttributeValue._meta.db_table,
    "attribute": Attribute._meta.db_table,
    "schema": EntityAttr._meta.db_table,
    "reference": AttributeReference._meta.db_table,
}


def _doomed(roots: Collection[int], user: Viewer | None) -> list[Entry]:
    """Return what is deleted with the entries `roots`, these first, then step by step.

    What `user` may not see stays, as if it were not there, and so does what an attribute leads to that `user`
    may not see. References that `user` may not see keep their targets, but no refusal tells of them.

    Who refers by an attribute that says ``chain`` goes, too.

    Raises:
        PermissionDenied: `user` may not delete all of it.
        EntryProtected: something refers to it by an attribute that says ``protect``, and stays.
    """
    wanted = dict.fromkeys(roots)
    while wanted:
        references = _references(wanted)
        seen, levels = _seen(references, wanted, user)
        visible = _visible(references, seen.keys(), user)
        followed = [each for each in visible if each.is_part and each.target in seen]
        doomed = [pk for pk in chain(wanted, followed, references) if pk in seen]
        going = set(doomed)
        along = [each.source for each in visible if each.on_delete == "chain" and each.target in going]
        if not set(along) - going:
            told = [pk for pk in chain(wanted, followed, visible) if pk in seen]
            require_deleting(user, [(seen[pk], levels[pk]) for pk in told])
            _refuse_protected(references, visible, going)
            return [seen[pk] for pk in doomed]
        wanted |= dict.fromkeys(along)
    return []


def _seen(
    references: Sequence[Reference], roots: Collection[int], user: Viewer | None
) -> tuple[dict[int, Entry], dict[int, int]]:
    """Return the roots and their parts that `user` may see, and the level on each, by id."""
    seen: dict[int, Entry] = {}
    levels: dict[int, int] = {}
    parts = {each.target for each in references if each.is_part}
    for batch in batched({*roots, *parts}, _BATCH_SIZE):
        of_batch = Entry.objects.active().filter(pk__in=batch).select_related("schema")
        for row, level in readable_with_levels(of_batch, user):
            seen[row.pk], levels[row.pk] = row, level
    hidden = set(roots) - seen.keys()
    if hidden and Entry.objects.active().filter(pk__in=hidden).exists():
        refuse_hidden(user)
    return seen, levels


class EntryProtected(ProtectedError):
    """Entries that stay keep others from being deleted; `references` tells who, as far as may be told."""

    code = "protected"

    def __init__(self, message: str, references: list[dict[str, Any]]) -> None:
        super().__init__(message, set())
        self.references = references  # [{"entry": {"id", "name", "schema"}, "attr": name, "target": id}]

    def forget(self, undone: Collection[int | None]) -> None:
        """Tell no id, None instead, of entries whose creation was undone with the deletion."""
        for reference in self.references:
            for held, key in ((reference["entry"], "id"), (reference, "target")):
                held[key] = None if held[key] in undone else held[key]


_NAMED: Final = 20


def _refuse_protected(
    references: Sequence[Reference], visible: Sequence[Reference], going: Collection[int]
) -> None:
    keeping = [
        each
        for each in references
        if each.on_delete == "protect" and each.target in going and each.source not in going
    ]
    if not keeping:
        return
    seen = set(visible)
    shown = [each for each in keeping if each in seen]
    told = shown[:_NAMED]
    entries = Entry.objects.select_related("schema").in_bulk({each.source for each in told})
    attrs = EntityAttr.objects.in_bulk({each.rule for each in told})
    named = [
        say("{entries} by {attrs!r}", entries=called(entries[each.source]), attrs=attrs[each.rule].name)
        for each in told
    ]
    others = len(shown) - len(told)
    named += [say("{others:,} others", others=others)] if others else []
    named += [say("some that you may not see")] if len(shown) < len(keeping) else []
    raise EntryProtected(
        say(
            "Still referred to by {named}. Change or delete what refers to it first.", named=", ".join(named)
        ),
        [
            {
                "entry": {
                    "id": each.source,
                    "name": entries[each.source].name,
                    "schema": {
                        "id": entries[each.source].schema_id,
                        "name": entries[each.source].entity_name,
                    },
                },
                "attr": attrs[each.rule].name,
                "target": each.target,
            }
            for each in told
        ],
    )


def _references(roots: Collection[int]) -> list[Reference]:
    tables = {key: connection.ops.quote_name(name) for key, name in _TABLES.items()}
    with connection.cursor() as cursor:
        cursor.execute(_REFERENCES_SQL.format(roots=", ".join(["%s"] * len(roots)), **tables), list(roots))
        return [Reference(*row) for row in cursor.fetchall()]


def _visible(
    references: Sequence[Reference], seen: Collection[int], user: Viewer | None
) -> Sequence[Reference]:
    """Return the references of which `user` may see the attribute and who refers, `seen` or not yet."""
    if user is None or user.is_superuser or not references:
        return references
    rules = {each.rule for each in references}
    rules = set(
        readable(EntityAttr.objects.order_by(), user).filter(pk__in=rules).values_list("pk", flat=True)
    )
    sources = set(seen)
    for batch in batched({each.source for each in references} - sources, _BATCH_SIZE):
        rows = readable(Entry.objects.order_by(), user).filter(pk__in=batch)
        sources.update(rows.values_list("pk", flat=True))
    return [each for each in references if each.rule in rules and each.source in sources]


def _change(entry: Entry, action: Action, user: Viewer | None) -> Change:
    return Change(
        subject="entry",
        action=action,
        instance=entry,
        user=person(user),
        data={},
        entity_name=entry.entity_name,
    )

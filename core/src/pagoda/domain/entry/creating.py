"""The service that creates entries, one or many, each with its hooks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.core.exceptions import ValidationError

from pagoda.domain import changes
from pagoda.domain.access.checks import require_attributes, require_level
from pagoda.domain.changes import Change
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.lookups import Lookups
from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.reading import read_schema
from pagoda.domain.entry.storing import NewVersion, add_attributes, add_versions, current_of
from pagoda.domain.user.models import Level, User
from pagoda.domain.user.permissions import Viewer, person
from pagoda.domain.writing import writing
from pagoda_plugin_sdk.rules.faults import Faults
from pagoda_plugin_sdk.rules.incoming import GivenAttrs, Intake, RawValues
from pagoda_plugin_sdk.rules.state import Definition, EntryState, Value
from pagoda_plugin_sdk.rules.value_types import items_of
from pagoda_plugin_sdk.washing import shown

_BATCH_SIZE: Final = 500
_ROW_FIELDS: Final = ("name", "note", "attrs")
_DATA_FIELDS: Final = ("name", "schema", "note", "attrs")


@dataclass(slots=True)
class _Draft:
    """An entry on its way into the database."""

    intake: Intake
    name: str
    note: str
    raw: RawValues
    values: dict[int, Value] = field(default_factory=dict)


def create_entry(
    user: Viewer | None, schema: Entity, *, name: str, attrs: GivenAttrs | None = None, note: str = ""
) -> Entry:
    """Create an entry with its values as one change of `user`.

    `attrs` is ``{attribute name: value}`` or ``[{"id" or "name", "value"}]``; defaults fill what is left out.

    Raises:
        ValidationError: keyed by field and attribute, all faults together; an `AttributeTypeError` when a
            value is not of its type. Nothing is stored.
        HookRejected: a plugin refuses; nothing is stored.
    """
    return _create(user, schema, [{"name": name, "note": note, "attrs": attrs or {}}], is_bulk=False)[0]


def create_entries(user: Viewer | None, schema: Entity, rows: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """Create an entry for each row, ``{"name", "note", "attrs"}``, all or none, each with its hooks.

    The rows are written in batches, so that Django's ``post_save`` is not sent for them.

    Raises:
        ValidationError: keyed ``rows[i].field``, all faults together; nothing is stored.
        HookRejected: a plugin refuses one of them; nothing is stored.
    """
    return _create(user, schema, list(rows), is_bulk=True)


def _create(
    user: Viewer | None, schema: Entity, rows: Sequence[Mapping[str, Any]], *, is_bulk: bool
) -> list[Entry]:
    if not rows:
        return []
    with writing(user) as actor:
        maker = person(actor)
        lookups = Lookups(actor)
        definitions = _definitions(schema, actor, lookups, rows)
        drafts = _drafts(schema, definitions, rows, actor, is_bulk=is_bulk)
        for draft in drafts:
            _transform(draft, schema, maker)
        _check(drafts, schema, definitions, lookups)
        states = [EntryState(definitions=definitions, values=draft.values, viewer=actor) for draft in drafts]
        for draft, state in zip(drafts, states, strict=True):
            changes.send_validating(_change(schema, maker, {"name": draft.name, "attrs": items_of(state)}))
        entries = _insert(schema, drafts, states, maker)
        count = changes.count()
    # What hooks changed after that is not in the states.
    if changes.count() == count:
        for entry, state in zip(entries, states, strict=True):
            entry.known_state = state
    return entries


def _definitions(
    schema: Entity, viewer: Viewer | None, lookups: Lookups, rows: Sequence[object]
) -> tuple[Definition, ...]:
    stored = read_schema(schema, viewer, lookups, [row for row in rows if isinstance(row, Mapping)])
    require_level(viewer, schema, Level.WRITABLE, stored.level)
    if not stored.is_active:
        raise ValidationError(
            {"schema": [f"Entity {schema.name!r} is deleted; restore it before adding entries."]},
            code="deleted",
        )
    return stored.definitions


def _drafts(
    schema: Entity,
    definitions: Sequence[Definition],
    rows: Sequence[object],
    user: Viewer | None,
    *,
    is_bulk: bool,
) -> list[_Draft]:
    faults = Faults()
    drafts = []
    sent: dict[str, int] = {}
    for index, row in enumerate(rows):
        intake = Intake(schema.name, definitions, faults, prefix=f"rows[{index}]." if is_bulk else "")
        if not isinstance(row, Mapping):
            faults.add(f"rows[{index}]", f"expected {{'name', 'note', 'attrs'}}, got {shown(row)}.", "type")
            continue
        intake.check_keys(row, _ROW_FIELDS)
        raw = intake.sent(row.get("attrs") or {})
        sent |= intake.levels(raw)
        drafts.append(_Draft(intake, row.get("name", ""), row.get("note", ""), raw))
    require_attributes(user, schema.name, sent, Level.WRITABLE)
    faults.raise_if_any()
    return drafts


def _transform(draft: _Draft, schema: Entity, user: User | None) -> None:
    given = {"name": draft.name, "schema": schema, "note": draft.note, "attrs": draft.intake.items(draft.raw)}
    data = changes.send_changing(_change(schema, user, given))
    draft.intake.check_keys(data, _DATA_FIELDS)
    if data.get("schema", schema) != schema:
        draft.intake.faults.add(
            "schema", f"A before-hook moved the entry out of entity {schema.name!r}.", "schema"
        )
    draft.name = data.get("name", draft.name)
    draft.note = data.get("note", draft.note)
    draft.raw = draft.intake.raw(data.get("attrs", []))


def _check(
    drafts: Sequence[_Draft], schema: Entity, definitions: Sequence[Definition], lookups: Lookups
) -> None:
    faults = drafts[0].intake.faults
    for draft in drafts:
        draft.intake.check_name(draft.name)
        draft.intake.check_note(draft.note)
        draft.values = draft.intake.parse(draft.intake.with_defaults(draft.raw))
    faults.raise_if_any()
    pairs = [pair for draft in drafts for pair in draft.intake.with_definitions(draft.values)]
    targets = lookups.targets_of(pairs, named=(schema.pk, {draft.name for draft in drafts}))
    ids = [definition.id for definition in definitions]
    for draft in drafts:
        draft.values = draft.intake.resolve(draft.values, targets)
        draft.intake.require(draft.values, ids)
    _check_taken(drafts, lookups.taken)
    faults.raise_if_any()


def _check_taken(drafts: Sequence[_Draft], stored: Collection[str]) -> None:
    taken = set(stored)
    for draft in drafts:
        if draft.name in taken:
            draft.intake.add_taken(draft.name)
        taken.add(draft.name)


def _insert(
    schema: Entity, drafts: Sequence[_Draft], states: Sequence[EntryState], maker: User | None
) -> list[Entry]:
    currents = [current_of(state.definitions, state.values) for state in states]
    entries = [
        Entry(schema=schema, name=draft.name, note=draft.note, created_user=maker, current_values=current)
        for draft, current in zip(drafts, currents, strict=True)
    ]
    told = [_stored(entry, state, maker) for entry, state in zip(entries, states, strict=True)]
    if len(entries) == 1:
        changes.store(told[0], force_insert=True)
    else:
        Entry.objects.bulk_create(entries, batch_size=_BATCH_SIZE)
        for entry, change in zip(entries, told, strict=True):
            vars(entry).pop(Entry.UNSAVED)
            changes.mark(change)
    attributes = add_attributes(entries, states[0].definitions, maker)
    versions = [
        NewVersion(
            attribute=attributes[entry.pk, each.id],
            definition=each,
            value=state.values[each.id],
            current=current[str(each.id)],
        )
        for entry, state, current in zip(entries, states, currents, strict=True)
        for each in state.definitions
        if state.value(each).elements
    ]
    add_versions(versions, maker)
    return entries


def _stored(entry: Entry, state: EntryState, user: User | None) -> Change:
    data = {"name": entry.name, "schema": entry.schema, "note": entry.note, "attrs": items_of(state)}
    return _change(entry.schema, user, data, entry)


def _change(schema: Entity, user: User | None, data: dict[str, Any], entry: Entry | None = None) -> Change:
    return Change(
        subject="entry",
        action="create",
        instance=entry,
        user=user,
        data=data,
        entity_name=schema.name,
    )

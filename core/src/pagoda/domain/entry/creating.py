"""The service that creates entries, one or many, each with its hooks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.db.models import ProtectedError, RestrictedError

from pagoda.domain import changes
from pagoda.domain.access.checks import require_attributes, require_level
from pagoda.domain.changes import Change, writing
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.lookups import Lookups
from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.reading import read_schema
from pagoda.domain.entry.storing import add_entries, current_of
from pagoda.domain.entry.versions import add_history
from pagoda.domain.user.models import Level, User
from pagoda.domain.user.permissions import Viewer, person
from pagoda_plugin_sdk.exceptions import HookRejected
from pagoda_plugin_sdk.rules.faults import Faults
from pagoda_plugin_sdk.rules.incoming import GivenAttrs, Intake, RawValues
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.state import Definition, EntryState, Value
from pagoda_plugin_sdk.rules.value_types import items_of
from pagoda_plugin_sdk.washing import shown

REFUSALS: Final = (ValidationError, PermissionDenied, HookRejected, ProtectedError, RestrictedError)
"""What a write service refuses with, the last two a deletion of what others refer to."""


class Item(Protocol):
    """Something that is written together with others."""

    @property
    def index(self) -> int: ...


class WriteOutcome:
    """All or none: faults of all items are raised together, keyed with `prefix`, a refusal at once."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix  # "rows[{}]."; "" where there is one item
        self._faults = Faults()
        self.refused: dict[int, Exception] = {}  # by index: what was not written

    def faults(self, _index: int) -> Faults:
        """Return where the faults of an item are collected."""
        return self._faults

    def prefix(self, index: int) -> str:
        """Return what the keys of an item's faults begin with."""
        return self._prefix.format(index)

    def each[I: Item](self, items: Iterable[I], act: Callable[[I], object]) -> list[I]:
        """Have `act` done for each item that is not refused, and return those that still are not."""
        for item in items:
            act(item)
        return list(items)

    def settle[I: Item](self, items: list[I]) -> list[I]:
        """Return the items without faults.

        Raises:
            ValidationError: there are faults, and nothing is to be written then.
        """
        self._faults.raise_if_any()
        return items


class EachOutcome(WriteOutcome):
    """Each by itself: a refused item is left out, and the others are written."""

    def __init__(self) -> None:
        super().__init__()
        self._of_items: dict[int, Faults] = {}
        self.hooks_wrote = False  # what a hook writes for an item can't be told from what it does for others

    def faults(self, index: int) -> Faults:
        return self._of_items.setdefault(index, Faults())

    def each[I: Item](self, items: Iterable[I], act: Callable[[I], object]) -> list[I]:
        left = []
        with connection.execute_wrapper(self._note_writes):
            for item in items:
                try:
                    act(item)
                except REFUSALS as error:
                    self.refused[item.index] = error
                else:
                    left.append(item)
        return left

    def settle[I: Item](self, items: list[I]) -> list[I]:
        left = []
        for item in items:
            try:
                self.faults(item.index).raise_if_any()
            except ValidationError as error:
                self.refused[item.index] = error
            else:
                left.append(item)
        return left

    def _note_writes(self, execute: Callable[..., Any], sql: Any, *rest: Any) -> Any:  # Any: Django's
        if not str(sql).lstrip().upper().startswith(("SELECT", "SAVEPOINT", "RELEASE", "ROLLBACK")):
            self.hooks_wrote = True
        return execute(sql, *rest)


@dataclass(slots=True)
class _Draft:
    """An entry on its way into the database."""

    index: int
    intake: Intake
    name: str
    note: str
    raw: RawValues
    values: dict[int, Value] = field(default_factory=dict)
    items: list[dict[str, Any]] = field(default_factory=list)  # Any: JSON values; what hooks see of `values`


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
    return _create(user, schema, [{"name": name, "note": note, "attrs": attrs or {}}], WriteOutcome())[0]


def create_entries(user: Viewer | None, schema: Entity, rows: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """Create an entry for each row, ``{"name", "note", "attrs"}``, all or none, each with its hooks.

    The rows are written in batches, so that Django's ``post_save`` is not sent for them.

    Raises:
        ValidationError: keyed ``rows[i].field``, all faults together; nothing is stored.
        HookRejected: a plugin refuses one of them; nothing is stored.
    """
    return create_each(user, schema, list(rows), WriteOutcome("rows[{}]."))


def create_each(
    user: Viewer | None, schema: Entity, rows: Sequence[Mapping[str, Any]], outcome: WriteOutcome
) -> list[Entry]:
    """Create an entry for each row that `outcome` does not refuse, and return these in their order.

    Raises:
        PermissionDenied: `user` may not write the entity at all.
        ValidationError: the entity is deleted; what else is raised is up to `outcome`.
    """
    return _create(user, schema, rows, outcome) if rows else []


def _create(
    user: Viewer | None, schema: Entity, rows: Sequence[Mapping[str, Any]], outcome: WriteOutcome
) -> list[Entry]:
    # What nobody sees is not made up: a quarter of what 1,000 rows take. Of one it is not worth the question.
    awaited = changes.awaited_of("entry", "create", schema.name) if len(rows) > 1 else changes.SENT
    with writing(user) as actor:
        maker = person(actor)
        lookups = Lookups(actor)
        definitions = _definitions(schema, actor, lookups, rows)
        drafts = _drafts(schema, definitions, rows, actor, outcome)
        if changes.changing in awaited:
            drafts = outcome.each(drafts, lambda draft: _transform(draft, schema, maker))
        elif drafts:
            changes.require_granted("entry", schema.name)
        drafts = _checked(drafts, schema, definitions, lookups, outcome)
        states = {
            draft.index: EntryState(definitions=definitions, values=draft.values, viewer=actor)
            for draft in drafts
        }

        def validate(draft: _Draft) -> None:
            complete = {"name": draft.name, "attrs": draft.items}
            changes.send_validating(_change(schema, maker, complete))

        if awaited & {changes.validating, changes.changed}:
            for draft in drafts:
                draft.items = items_of(states[draft.index])
            drafts = outcome.each(drafts, validate)
        written = [states[draft.index] for draft in drafts]
        entries = _insert(schema, drafts, written, maker) if drafts else []
        count = changes.count()
    # What hooks changed after that is not in the states.
    if changes.count() == count:
        for entry, state in zip(entries, written, strict=True):
            entry.known_state = state
    return entries


def _definitions(
    schema: Entity, viewer: Viewer | None, lookups: Lookups, rows: Sequence[object]
) -> tuple[Definition, ...]:
    stored = read_schema(schema, viewer, lookups, [row for row in rows if isinstance(row, Mapping)])
    require_level(viewer, schema, Level.WRITABLE, stored.level)
    if not stored.is_active:
        raise ValidationError(
            {
                "schema": ValidationError(
                    say(
                        "Entity {schema!r} is deleted; restore it before adding entries.", schema=schema.name
                    ),
                    code="deleted",
                )
            }
        )
    return stored.definitions


def _drafts(
    schema: Entity,
    definitions: Sequence[Definition],
    rows: Sequence[object],
    user: Viewer | None,
    outcome: WriteOutcome,
) -> list[_Draft]:
    drafts: list[_Draft] = []
    for index, row in enumerate(rows):
        faults, prefix = outcome.faults(index), outcome.prefix(index)
        if drafts:
            intake = drafts[0].intake.of_another(faults, prefix)
        else:
            intake = Intake(schema.name, definitions, faults, prefix=prefix)
        draft = _Draft(index, intake, "", "", {})
        drafts.append(draft)
        if not isinstance(row, Mapping):
            faults.add(
                prefix.rstrip("."),
                say("expected {{'name', 'note', 'attrs'}}, got {row}.", row=shown(row)),
                "type",
            )
            continue
        draft.name, draft.note, draft.raw = intake.sent_entry(row)

    def require(draft: _Draft) -> None:
        require_attributes(user, schema.name, draft.intake.levels(draft.raw), Level.WRITABLE)

    return outcome.settle(outcome.each(drafts, require))


def _transform(draft: _Draft, schema: Entity, user: User | None) -> None:
    given = {"name": draft.name, "schema": schema, "note": draft.note, "attrs": draft.intake.items(draft.raw)}
    data = changes.send_changing(_change(schema, user, {**given}))
    draft.name, draft.note, draft.raw = draft.intake.hooked_entry(given, data)


def _checked(
    drafts: list[_Draft],
    schema: Entity,
    definitions: Sequence[Definition],
    lookups: Lookups,
    outcome: WriteOutcome,
) -> list[_Draft]:
    for draft in drafts:
        draft.values = draft.intake.of_new(draft.name, draft.note, draft.raw)
    drafts = outcome.settle(drafts)
    references = [each for each in definitions if each.type.is_reference]
    pairs = [
        (each, draft.values[each.id]) for draft in drafts for each in references if each.id in draft.values
    ]
    targets = lookups.targets_of(pairs, named=(schema.pk, {draft.name for draft in drafts}))
    ids = [definition.id for definition in definitions]
    for draft in drafts:
        draft.values = draft.intake.complete(draft.values, targets, ids)
    _check_taken(drafts, lookups.taken)
    return outcome.settle(drafts)


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
    if len(drafts) == 1:
        (draft,), (current,) = drafts, currents
        entry = Entry(
            schema=schema, name=draft.name, note=draft.note, created_user=maker, current_values=current
        )
        changes.store(_stored(entry, draft.items, maker), force_insert=True)
        entries = [entry]
    else:
        entries = add_entries(schema, maker, [(draft.name, draft.note) for draft in drafts], currents)
        for entry, draft in zip(entries, drafts, strict=True):
            changes.mark(_stored(entry, draft.items, maker))
    add_history(entries, states, currents, maker)
    return entries


def _stored(entry: Entry, items: list[dict[str, Any]], user: User | None) -> Change:
    data = {"name": entry.name, "schema": entry.schema, "note": entry.note, "attrs": items}
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

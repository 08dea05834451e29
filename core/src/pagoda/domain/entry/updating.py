"""The service that updates an entry: its name, its note and the values of its attributes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any, Final

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from pagoda.domain import changes
from pagoda.domain.access.checks import require_attributes, require_level
from pagoda.domain.changes import Change, writing
from pagoda.domain.entry.creating import WriteOutcome
from pagoda.domain.entry.lookups import BATCH_SIZE, Lookups
from pagoda.domain.entry.merging import merged
from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.reading import read_for_update, read_state
from pagoda.domain.entry.storing import Current, current_of
from pagoda.domain.entry.versions import NewValues, replace_versions
from pagoda.domain.stamped import updated_stamp
from pagoda.domain.user.models import Level
from pagoda.domain.user.permissions import Viewer, person
from pagoda_plugin_sdk.exceptions import HookRejected
from pagoda_plugin_sdk.rules.faults import Faults
from pagoda_plugin_sdk.rules.incoming import GivenAttrs, Intake, Targets
from pagoda_plugin_sdk.rules.replacing import is_stored, read_replacement
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.scalar_types import ValueFault
from pagoda_plugin_sdk.rules.state import Definition, EntryState, OwnFields, Value
from pagoda_plugin_sdk.rules.text import renamed, spellings
from pagoda_plugin_sdk.rules.value_types import items_of

_FIELDS: Final = ("name", "note")


def update_entry(
    entry: Entry,
    user: Viewer | None,
    *,
    name: str | None = None,
    note: str | None = None,
    attrs: GivenAttrs | None = None,
) -> Entry:
    """Change what is given (None keeps it) as one change of `user` and return `entry`.

    What equals the stored is not written; when nothing differs, nothing is told and no hook runs.

    Raises:
        ValidationError: keyed by field and attribute, all faults together; an `AttributeTypeError` when a
            value is not of its type. Nothing is stored.
        PermissionDenied: `user` may not write the entry, or one of the attributes that differ.
        HookRejected: a plugin refuses; nothing is stored.
    """
    fields = {key: value for key, value in (("name", name), ("note", note)) if value is not None}
    update_each(user, [EntryUpdate(0, entry, fields, attrs or {})], WriteOutcome())
    return entry


@dataclass(frozen=True, slots=True)
class EntryUpdate:
    """What is to change of one entry."""

    index: int
    entry: Entry
    fields: dict[str, Any]  # Any: unchecked; name and note alone
    attrs: GivenAttrs


def update_each(user: Viewer | None, updates: Sequence[EntryUpdate], outcome: WriteOutcome) -> list[int]:
    """Change different entries of one entity as `update_entry` changes one; return who changed, by index.

    Raises:
        ValidationError, PermissionDenied, HookRejected: what `outcome` says.
    """
    with writing(user) as actor:
        lookups = Lookups(actor)
        entries = [each.entry for each in updates]
        states = read_for_update(entries, actor, lookups, [each.attrs for each in updates])
        drafts = [_Update(each, states[each.entry.pk], actor, outcome) for each in updates]
        drafts = outcome.settle(outcome.each(drafts, _Update.require))
        drafts = outcome.each(drafts, _Update.differ)
        kept = outcome.settle(drafts)
        drafts = outcome.settle(outcome.each([each for each in kept if each.data], _Update.transform))
        targets = lookups.targets_of([pair for each in drafts for pair in each.to_resolve()])
        names = {each.fields["name"] for each in drafts if "name" in each.fields}
        for batch in batched(spellings(names), BATCH_SIZE):
            lookups.look_up((), named=(updates[0].entry.schema_id, batch))
        for draft in drafts:
            draft.finish(targets, lookups.taken)
            if "name" in draft.fields:
                lookups.taken[draft.fields["name"]].add(draft.entry.pk)
        drafts = outcome.settle(drafts)
        drafts = [each for each in drafts if each.fields or each.values]
        drafts = outcome.each(drafts, _Update.validate)
        for draft in drafts:
            draft.store()
        replace_versions([each.new_values() for each in drafts if each.values], person(actor))
        count = changes.count()
    is_known = changes.count() == count  # hooks may have changed it since
    for draft in kept:
        if draft.index not in outcome.refused:
            draft.entry.known_state = draft.state if is_known else None
    return [each.index for each in drafts]


def differs(entry: Entry, definition_id: int, raw: object) -> bool:
    """Return whether `raw` is another value than the stored one of an attribute of `entry`, in one query.

    Raises:
        AttributeTypeError: it is no value of the attribute's type.
    """
    state = read_state(entry)
    faults = Faults()
    values = Intake(entry.entity_name, state.definitions, faults).parse({definition_id: raw}, state.values)
    faults.raise_if_any()
    return not is_stored(values[definition_id], state.value(state.definition(definition_id)))


def validate_entry(entry: Entry, user: Viewer | None) -> None:
    """Ask the validators of the complete entry, as forms do through ``full_clean()``; nothing is stored.

    Raises:
        ValidationError: a plugin refuses.
    """
    change = Change(
        subject="entry",
        action="update" if entry.pk else "create",
        instance=entry if entry.pk else None,
        user=person(user),
        data={"name": entry.name, "attrs": items_of(read_state(entry))},
        entity_name=entry.entity_name,
    )
    try:
        changes.send_validating(change)
    except HookRejected as rejection:  # forms know Django's error alone
        raise ValidationError(str(rejection), code=rejection.code) from rejection


class _Update:
    """One update on its way into the database: its methods in their order."""

    def __init__(
        self, update: EntryUpdate, state: EntryState, user: Viewer | None, outcome: WriteOutcome
    ) -> None:
        self.index = update.index
        self.entry = update.entry
        self.state = state
        self.data: dict[str, Any] = {}  # what is to change: the before-hooks' data
        self.fields: dict[str, Any] = update.fields
        self.values: dict[int, Value] = {}
        self._attrs = update.attrs
        self._user = user
        self._current: Current = {}
        faults = outcome.faults(update.index)
        prefix = outcome.prefix(update.index)
        self._intake = Intake(self.entry.entity_name, state.definitions, faults, prefix=prefix)

    def require(self) -> None:
        """Refuse whom may not write it, and an entry that is deleted."""
        own = self.state.entry
        require_level(self._user, self.entry, Level.WRITABLE, own.level if own else Level.NOTHING)
        self._stored = _stored_entry(self.entry, self.state)
        self._raw = self._intake.sent(self._attrs)

    def differ(self) -> None:
        """Find what is to change."""
        data = self._differing_fields(self.fields)
        changing = {key: value for key, value in self._raw.items() if not self._is_stored(key, value)}
        levels = self._intake.levels(changing)
        require_attributes(self._user, self.entry.entity_name, levels, Level.WRITABLE)
        self.data = data | ({"attrs": self._intake.items(changing)} if changing else {})
        self.fields = {}

    def transform(self) -> None:
        """Run the before-hooks, and read what they leave."""
        data = changes.send_changing(self._change(self.data))
        self._intake.check_keys(data, (*_FIELDS, "attrs"))
        self.fields = self._differing_fields({key: data[key] for key in _FIELDS if key in data})
        raw = self._intake.raw(data.get("attrs", []))
        if "name" in self.fields:
            self._intake.check_name(self.fields["name"])
        if "note" in self.fields:
            self._intake.check_note(self.fields["note"])
        values = self._intake.parse(raw, self.state.values)
        self.values = {
            key: each
            for key, each in values.items()
            if not is_stored(each, self.state.value(self.state.definition(key)))
        }

    def to_resolve(self) -> Iterable[tuple[Definition, Value]]:
        """Return the values whose references are to be looked up."""
        return self._intake.with_definitions(self.values)

    def finish(self, targets: Targets, taken: Mapping[str, Collection[int]]) -> None:
        """Check what takes looking up."""
        self.values = self._intake.complete(self.values, targets)
        if set(taken.get(self.fields.get("name", ""), ())) - {self.entry.pk}:
            self._intake.add_taken(self.fields["name"])

    def validate(self) -> None:
        """Ask the validators."""
        self.state = self.state.with_values(self.values)
        changes.send_validating(self._change(self._complete()))

    def store(self) -> None:
        """Store the entry's row; its update is also the lock under which the versions are replaced."""
        values = self.values
        for key, value in self.fields.items():
            setattr(self.entry, key, value)
        told = [item for item in self._complete()["attrs"] if item["id"] in values]
        definitions = [self.state.definition(key) for key in values]
        stored = [*self.fields, updated_stamp(bool(self.fields) or any(each.is_open for each in definitions))]
        if values:
            self._current = current_of(definitions, values)
            self.entry.current_values = merged(self._current)
            stored.append(Entry.UNSAVED)
        data = self.fields | ({"attrs": told} if told else {})
        changes.store(self._change(data), update_fields=stored)

    def new_values(self) -> NewValues:
        """Return what becomes history."""
        definitions = [self.state.definition(key) for key in self.values]
        return NewValues(self.entry, definitions, self.values, self._current)

    def _complete(self) -> dict[str, Any]:
        return {"name": self.fields.get("name", self._stored.name), "attrs": items_of(self.state)}

    def _differing_fields(self, given: Mapping[str, Any]) -> dict[str, Any]:
        if "name" in given:
            given = {**given, "name": renamed(self._stored.name, given["name"])}
        return {key: value for key, value in given.items() if value != getattr(self._stored, key)}

    def _is_stored(self, key: int, raw: object) -> bool:
        definition = self.state.definition(key)
        try:
            stored = self.state.value(definition)
            return is_stored(read_replacement(definition, raw, stored), stored)
        except ValueFault:
            return False  # a before-hook may mend it; if none does, it is refused after them

    def _change(self, data: dict[str, Any]) -> Change:
        return Change(
            subject="entry",
            action="update",
            instance=self.entry,
            user=person(self._user),
            data=data,
            entity_name=self.entry.entity_name,
        )


def _stored_entry(entry: Entry, state: EntryState) -> OwnFields:
    if state.entry is None or not state.entry.is_active:
        raise ValidationError(
            {
                NON_FIELD_ERRORS: ValidationError(
                    say(
                        "Entry {entry!r} of {entity_name!r} is deleted; restore it first.",
                        entry=entry.name,
                        entity_name=entry.entity_name,
                    ),
                    code="deleted",
                )
            }
        )
    return state.entry

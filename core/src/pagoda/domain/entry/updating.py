"""The service that updates an entry: its name, its note and the values of its attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from pagoda.domain import changes
from pagoda.domain.access.checks import require_attributes, require_level
from pagoda.domain.changes import Change
from pagoda.domain.entry.lookups import Lookups
from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.reading import read_for_update, read_state
from pagoda.domain.entry.storing import current_of, merged, replace_versions
from pagoda.domain.stamped import updated_stamp
from pagoda.domain.user.models import Level
from pagoda.domain.user.permissions import Viewer, person
from pagoda.domain.writing import writing
from pagoda_plugin_sdk.exceptions import HookRejected
from pagoda_plugin_sdk.rules.faults import Faults
from pagoda_plugin_sdk.rules.incoming import GivenAttrs, Intake, RawValues
from pagoda_plugin_sdk.rules.replacing import read_replacement
from pagoda_plugin_sdk.rules.scalar_types import ValueFault
from pagoda_plugin_sdk.rules.state import EntryState, OwnFields, Value
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
    given = {key: value for key, value in (("name", name), ("note", note)) if value is not None}
    with writing(user) as actor:
        lookups = Lookups(actor)
        update = _Update(entry, read_for_update(entry, actor, lookups, attrs), actor, lookups)
        state = update.run(given, attrs or {})
        count = changes.count()
    entry.known_state = state if changes.count() == count else None  # hooks may have changed it since
    return entry


def differs(entry: Entry, definition_id: int, raw: object) -> bool:
    """Return whether `raw` is another value than the stored one of an attribute of `entry`, in one query.

    Raises:
        AttributeTypeError: it is no value of the attribute's type.
    """
    state = read_state(entry)
    faults = Faults()
    values = Intake(entry.entity_name, state.definitions, faults).parse({definition_id: raw}, state.values)
    faults.raise_if_any()
    return values[definition_id] != state.value(state.definition(definition_id))


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
    """One update on its way into the database."""

    def __init__(self, entry: Entry, state: EntryState, user: Viewer | None, lookups: Lookups) -> None:
        self._entry = entry
        self._user = user
        self._lookups = lookups
        self._state = state
        require_level(user, entry, Level.WRITABLE, state.entry.level if state.entry else Level.NOTHING)
        self._stored = _stored_entry(entry, state)
        self._faults = Faults()
        self._intake = Intake(entry.entity_name, state.definitions, self._faults)

    def run(self, given: dict[str, Any], attrs: GivenAttrs) -> EntryState:
        """Return the state after the update."""
        data = self._differing(given, attrs)
        if not data:
            return self._state
        data = changes.send_changing(self._change(data))
        self._intake.check_keys(data, (*_FIELDS, "attrs"))
        fields = self._differing_fields({key: data[key] for key in _FIELDS if key in data})
        values = self._checked(fields, self._intake.raw(data.get("attrs", [])))
        if not fields and not values:
            return self._state
        return self._write(fields, values)

    def _differing(self, given: dict[str, Any], attrs: GivenAttrs) -> dict[str, Any]:
        """Return what is to change: the before-hooks' data."""
        raw = self._intake.sent(attrs)
        self._faults.raise_if_any()
        data = self._differing_fields(given)
        changing = {key: value for key, value in raw.items() if not self._is_stored(key, value)}
        levels = self._intake.levels(changing)
        require_attributes(self._user, self._entry.entity_name, levels, Level.WRITABLE)
        return data | ({"attrs": self._intake.items(changing)} if changing else {})

    def _differing_fields(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in given.items() if value != getattr(self._stored, key)}

    def _is_stored(self, key: int, raw: object) -> bool:
        definition = self._state.definition(key)
        try:
            stored = self._state.value(definition)
            return read_replacement(definition, raw, stored) == stored
        except ValueFault:
            return False  # a before-hook may mend it; if none does, it is refused after them

    def _checked(self, fields: dict[str, Any], raw: RawValues) -> dict[int, Value]:
        """Return the values that differ from the stored ones, with the targets of their references."""
        if "name" in fields:
            self._intake.check_name(fields["name"])
        if "note" in fields:
            self._intake.check_note(fields["note"])
        values = self._intake.parse(raw, self._state.values)
        self._faults.raise_if_any()
        values = {
            key: each
            for key, each in values.items()
            if each != self._state.value(self._state.definition(key))
        }
        targets = self._lookups.targets_of(self._intake.with_definitions(values))
        values = self._intake.resolve(values, targets)
        self._intake.require(values, values.keys())
        if "name" in fields and _is_taken(self._entry, fields["name"]):
            self._intake.add_taken(fields["name"])
        self._faults.raise_if_any()
        return values

    def _write(self, fields: dict[str, Any], values: dict[int, Value]) -> EntryState:
        state = self._state.with_values(values)
        complete = {"name": fields.get("name", self._stored.name), "attrs": items_of(state)}
        changes.send_validating(self._change(complete))
        for key, value in fields.items():
            setattr(self._entry, key, value)
        told = [item for item in complete["attrs"] if item["id"] in values]
        # The update of the entry's row is also the lock under which the versions are replaced.
        stamp = updated_stamp(bool(fields) or any(self._state.definition(key).is_open for key in values))
        stored = [*fields, stamp]
        current = current_of([self._state.definition(key) for key in values], values)
        if values:
            self._entry.current_values = merged(current)
            stored.append(Entry.UNSAVED)
        changes.store(self._change(fields | ({"attrs": told} if told else {})), update_fields=stored)
        if values:
            replace_versions(self._entry, state, values, current, person(self._user))
        return state

    def _change(self, data: dict[str, Any]) -> Change:
        return Change(
            subject="entry",
            action="update",
            instance=self._entry,
            user=person(self._user),
            data=data,
            entity_name=self._entry.entity_name,
        )


def _stored_entry(entry: Entry, state: EntryState) -> OwnFields:
    if state.entry is None or not state.entry.is_active:
        raise ValidationError(
            {
                NON_FIELD_ERRORS: [
                    f"Entry {entry.name!r} of {entry.entity_name!r} is deleted; restore it first."
                ]
            },
            code="deleted",
        )
    return state.entry


def _is_taken(entry: Entry, name: str) -> bool:
    return Entry.objects.active().filter(schema=entry.schema_id, name=name).exclude(pk=entry.pk).exists()

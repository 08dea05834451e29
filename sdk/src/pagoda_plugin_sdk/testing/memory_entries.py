"""Entries in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, ClassVar

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import ProtectedError

from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.operations import PermissionLevel
from pagoda_plugin_sdk.rules.chain import Reference, chain
from pagoda_plugin_sdk.rules.faults import Faults
from pagoda_plugin_sdk.rules.incoming import Intake, Targets, noun_of
from pagoda_plugin_sdk.rules.replacing import is_stored, read_replacement
from pagoda_plugin_sdk.rules.scalar_types import ValueFault
from pagoda_plugin_sdk.rules.state import NOTHING, EntryState, Link, LinkTarget, Value
from pagoda_plugin_sdk.rules.text import clean_name, renamed
from pagoda_plugin_sdk.rules.value_types import as_json, attrs_of, items_of
from pagoda_plugin_sdk.testing.memory_entities import MemoryEntity
from pagoda_plugin_sdk.testing.queries import MemoryQuerySet

_FIELDS = ("name", "note", "attrs")


class MemoryEntry:
    """An entry with the current values of its attributes."""

    host: ClassVar[Any]  # a MemoryHost, which lies above
    _meta = SimpleNamespace(verbose_name="entry")

    def __init__(self, user: Any, schema: MemoryEntity, name: str, note: str) -> None:
        self.id = self.pk = len(self.host.entries) + 1
        self.schema = schema
        self.name = name
        self.note = note
        self.default_permission: int = PermissionLevel.FULL
        self.created_user = user
        self.created_time = self.updated_time = datetime.now(UTC)
        self.is_active = True
        self.stored: dict[int, Value] = {}  # by the attribute's id
        self._saved = {"name": name, "note": note}

    def __str__(self) -> str:
        return self.name

    @property
    def level(self) -> int:
        """What everybody may do with it who may with its entity."""
        return self.default_permission

    @level.setter
    def level(self, level: int) -> None:
        self.default_permission = level

    @property
    def owner(self) -> Any:
        """Who owns its entity."""
        return self.schema.owner

    @property
    def values(self) -> dict[str, Any]:
        """Its values as JSON, by attribute name; what is not set is left out."""
        return {
            each.name: as_json(each, self.state().value(each), is_limited=False)
            for each in self.state().definitions
            if self.state().value(each).elements
        }

    def state(self) -> EntryState:
        """Return its attributes as the rules know them, references with what they point to now."""
        definitions = self.schema.definitions(None)
        values = {
            each.id: Value(tuple(self.host_link(element) for element in self.stored[each.id].elements))
            for each in definitions
            if each.id in self.stored
        }
        return EntryState(definitions=definitions, values=values)

    def host_link(self, element: Any) -> Any:
        """Return a link with the target as it is now; anything else as it is."""
        if not isinstance(element, Link) or element.target is None or element.target.schema_id is None:
            return element
        entry = self.host.entries[element.target.id - 1]
        return replace(element, target=_target_of(entry, is_visible=True))

    def get_attrs(self, *, names: Collection[str] | None = None, **_context: Any) -> dict[str, Any]:
        self.host.count_read()
        attrs = self.shown()
        for name in names or ():
            if name not in attrs:
                misses = near_misses(name, attrs)
                raise KeyError(f"Entity {self.schema.name!r} has no attribute {name!r}.{misses}")
        return attrs if names is None else {name: attrs[name] for name in names}

    def shown(self) -> dict[str, Any]:
        """Return the values as the host gives them, without counting a query."""
        return attrs_of(self.state())

    def set_attrs(self, user: Any, **values: Any) -> None:
        """Store what differs as one change; nothing differs: no change.

        Raises:
            PermissionDenied: `user` may not write it, or an attribute that differs.
            ValidationError: a value is wrong, or the entity has no such attribute; nothing is stored.
            HookRejected: a plugin refuses; nothing is stored.
        """
        self._update(user, values, {})

    def save(self, **_kwargs: Any) -> None:
        """Store its name and its note, as the acting user."""
        fields = {key: getattr(self, key) for key in self._saved if getattr(self, key) != self._saved[key]}
        vars(self).update(self._saved)
        self._update(self.host.acting_user, {}, fields)

    def refresh_from_db(self, *_args: Any, **_kwargs: Any) -> None:
        """Take back what was not saved."""
        vars(self).update(self._saved)

    def delete(self) -> None:
        """Delete it softly with what its attributes say is deleted in a chain, as the acting user."""
        host, user = self.host, self.host.acting_user
        if not self.is_active:
            return
        doomed = [host.entries[pk - 1] for pk in _doomed(self)]
        for entry in doomed:
            entry.require(user, PermissionLevel.FULL)
        for entry in doomed:
            host.run_hook("entry.before_delete", entry.schema.name, user, entry)
        for entry in doomed:
            entry.is_active = False
            host.changes.append(("delete", entry.schema.name, entry.name))
        for entry in doomed:
            host.run_hook("entry.after_delete", entry.schema.name, user, entry)

    def restore(self) -> None:
        """Undo its deletion, as the acting user; what was deleted with it stays deleted."""
        host, user, schema = self.host, self.host.acting_user, self.schema
        self.require(user, PermissionLevel.FULL)
        if self.is_active:
            return
        if not schema.is_active:
            message = f"Entity {schema.name!r} is deleted; restore it before its entry {self.name!r}."
            raise ValidationError({"schema": ValidationError(message, code="deleted")})
        if _is_taken(schema, self.name, self):
            message = f"Entity {schema.name!r} has another entry {self.name!r} by now; rename that one first."
            raise ValidationError({"name": ValidationError(message, code="taken")})
        host.run_hook("entry.before_restore", schema.name, user, self)
        self.is_active = True
        host.changes.append(("restore", schema.name, self.name))
        host.run_hook("entry.after_restore", schema.name, user, self)

    def _differing(self, given: Mapping[str, Any]) -> dict[str, Any]:
        if "name" in given:
            given = {**given, "name": renamed(self._saved["name"], given["name"])}
        return {key: value for key, value in given.items() if value != self._saved[key]}

    def may_permitted(self, user: Any, permission: int) -> bool:
        return bool(self.host.level_of(user, self, self.schema) >= permission)

    def require(self, user: Any, level: int) -> None:
        """Refuse unless `user` has `level` on it.

        Raises:
            PermissionDenied: see `MemoryHost.require`.
        """
        what = f"entry {self.name!r} of entity {self.schema.name!r}"
        self.host.require(user, level, what, self.host.level_of(user, self, self.schema))

    def _update(self, user: Any, attrs: Mapping[str, Any], fields: dict[str, Any]) -> None:
        host, schema, state = self.host, self.schema, self.state()
        acting = user or host.acting_user
        self.require(user, PermissionLevel.WRITABLE)
        if not self.is_active:
            message = f"Entry {self.name!r} of {schema.name!r} is deleted; restore it first."
            raise ValidationError({NON_FIELD_ERRORS: ValidationError(message, code="deleted")})
        intake = Intake(schema.name, schema.definitions(user), Faults())
        raw = intake.sent(attrs)
        intake.faults.raise_if_any()
        changing = {key: value for key, value in raw.items() if not _is_stored(state, key, value)}
        _require_attributes(host, user, schema, intake.levels(changing))
        data = self._differing(fields) | ({"attrs": intake.items(changing)} if changing else {})
        if not data:
            return
        data = host.run_hook("entry.before_update", schema.name, acting, data, self)
        intake.check_keys(data, _FIELDS)
        fields = self._differing({key: data[key] for key in self._saved if key in data})
        values = self._checked(intake, state, fields, intake.raw(data.get("attrs", [])), user)
        if not fields and not values:
            return
        items = items_of(state.with_values(values))
        name = fields.get("name", self.name)
        host.run_hook("entry.validate", acting, schema.name, name, items, self)
        self._saved |= fields
        vars(self).update(fields, updated_time=datetime.now(UTC))
        self.stored |= values
        host.versions += len(values)
        host.changes.append(("update", schema.name, self.name))
        host.run_hook("entry.after_update", schema.name, acting, self)

    def _checked(
        self, intake: Intake, state: EntryState, fields: Mapping[str, Any], raw: Any, user: Any
    ) -> dict[int, Value]:
        if "name" in fields:
            intake.check_name(fields["name"])
        if "note" in fields:
            intake.check_note(fields["note"])
        values = intake.parse(raw, state.values)
        intake.faults.raise_if_any()
        values = {
            key: each
            for key, each in values.items()
            if not is_stored(each, state.value(state.definition(key)))
        }
        values = intake.complete(values, _targets(self.host, self.schema, user))
        if "name" in fields and _is_taken(self.schema, fields["name"], self):
            intake.add_taken(fields["name"])
        intake.faults.raise_if_any()
        return values


class MemoryEntries(MemoryQuerySet):
    """``Entry.objects``."""

    def __init__(self, host: Any) -> None:
        super().__init__(lambda: host.entries, host.count_read)
        self._host = host

    def create_entry(
        self,
        *,
        user: Any,
        schema: MemoryEntity,
        name: str,
        attrs: Mapping[str, Any] | None = None,
        note: str = "",
    ) -> MemoryEntry:
        host, acting = self._host, user or self._host.acting_user
        host.require(user, PermissionLevel.WRITABLE, f"entity {schema.name!r}", host.level_of(user, schema))
        if not schema.is_active:
            message = f"Entity {schema.name!r} is deleted; restore it before adding entries."
            raise ValidationError({"schema": ValidationError(message, code="deleted")})
        intake = Intake(schema.name, schema.definitions(user), Faults())
        name, note, raw = intake.sent_entry({"name": name, "note": note, "attrs": attrs})
        _require_attributes(host, user, schema, intake.levels(raw))
        intake.faults.raise_if_any()
        given = {"name": name, "schema": schema, "note": note, "attrs": intake.items(raw)}
        data = host.run_hook("entry.before_create", schema.name, acting, given)
        name, note, raw = intake.hooked_entry(given, data)
        values = self._checked(intake, schema, name, note, raw, user)
        state = EntryState(definitions=schema.definitions(None), values=values)
        host.run_hook("entry.validate", acting, schema.name, name, items_of(state), None)
        entry: MemoryEntry = host.models["Entry"](user, schema, name, note)
        entry.stored = {key: value for key, value in values.items() if value.elements}
        host.entries.append(entry)
        host.versions += len(entry.stored)
        host.changes.append(("create", schema.name, name))
        host.run_hook("entry.after_create", schema.name, acting, entry)
        return entry

    def read_attrs(self, entries: Sequence[MemoryEntry]) -> dict[int, dict[str, Any]]:
        self._host.count_read()
        return {entry.id: entry.shown() for entry in entries}

    def _checked(
        self, intake: Intake, schema: MemoryEntity, name: Any, note: Any, raw: Any, user: Any
    ) -> dict[int, Value]:
        values = intake.of_new(name, note, raw)
        intake.faults.raise_if_any()
        ids = [each.id for each in schema.definitions(user)]
        values = intake.complete(values, _targets(self._host, schema, user), ids)
        if _is_taken(schema, name, None):
            intake.add_taken(name)
        intake.faults.raise_if_any()
        return values


def _is_stored(state: EntryState, key: int, raw: object) -> bool:
    definition = state.definition(key)
    try:
        stored = state.value(definition)
        return is_stored(read_replacement(definition, raw, stored), stored)
    except ValueFault:
        return False  # a before-hook may mend it; if none does, it is refused after them


def _require_attributes(host: Any, user: Any, schema: MemoryEntity, levels: Mapping[str, int]) -> None:
    refused = {name: has for name, has in levels.items() if has < PermissionLevel.WRITABLE}
    if refused:
        names = ", ".join(repr(name) for name in sorted(refused))
        what = f"attribute {names} of entity {schema.name!r}"
        host.require(user, PermissionLevel.WRITABLE, what, min(refused.values()))


def _is_taken(schema: MemoryEntity, name: str, but: MemoryEntry | None) -> bool:
    others = (entry for entry in schema.host.entries if entry is not but and entry.is_active)
    return any(entry.schema is schema and clean_name(entry.name) == clean_name(name) for entry in others)


def _targets(host: Any, schema: MemoryEntity, user: Any) -> Targets:
    found = {
        ("entry", entry.id): _target_of(entry, is_visible=entry.may_permitted(user, PermissionLevel.READABLE))
        for entry in host.entries
        if entry.is_active
    }
    found |= {
        (each._meta.verbose_name, each.pk): LinkTarget(id=each.pk, name=each.name) for each in host.targets
    }
    allowed = {attr.id: {target.id: target.name for target in attr.targets} for attr in schema.active_attrs()}
    return Targets(found, allowed)


def _target_of(entry: MemoryEntry, *, is_visible: bool) -> LinkTarget:
    return LinkTarget(
        id=entry.id,
        name=entry.name,
        schema_id=entry.schema.id,
        schema_name=entry.schema.name,
        is_active=entry.is_active,
        is_visible=is_visible,
    )


def _doomed(root: MemoryEntry) -> list[int]:
    """Return the ids of what is deleted with `root`, this first.

    Raises:
        ProtectedError: something that stays keeps it.
    """
    references = [
        Reference(entry.id, link.target_id, attr.id, attr.is_delete_in_chain, attr.on_delete)
        for entry in root.host.entries
        if entry.is_active
        for attr in entry.schema.active_attrs()
        if noun_of(attr.attr_type) == "entry"
        for link in entry.stored.get(attr.id, NOTHING).links
        if link.target_id is not None and root.host.entries[link.target_id - 1].is_active
    ]
    roots: list[int] = [root.id]
    while True:
        doomed = chain(roots, [each for each in references if each.is_part], references)
        held = [each for each in references if each.target in doomed and each.source not in doomed]
        along = [each.source for each in held if each.on_delete == "chain"]
        if not along:
            break
        roots += along
    keeping = [root.host.entries[each.source - 1].name for each in held if each.on_delete == "protect"]
    if keeping:
        raise ProtectedError(f"Still referred to by {', '.join(keeping)}.", set())
    return doomed

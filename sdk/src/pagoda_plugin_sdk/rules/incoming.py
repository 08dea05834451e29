"""Attribute values as callers and hooks send them, made into stored values or faults."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.operations import PermissionLevel
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.faults import Faults
from pagoda_plugin_sdk.rules.replacing import read_replacement
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.scalar_types import ValueFault
from pagoda_plugin_sdk.rules.state import NOTHING, Definition, Link, LinkTarget, Value
from pagoda_plugin_sdk.rules.text import by_clean_name, clean_name, listed, name_fault
from pagoda_plugin_sdk.rules.value_types import parse
from pagoda_plugin_sdk.washing import shown, text_fault

MAX_NOTE_LENGTH = 65_535

# Any: a value of an attribute's type, not yet checked.
type GivenAttrs = (
    Mapping[str, Any] | Sequence[Mapping[str, Any]]
)  # {name: value}, or [{"id" or "name", "value"}]
type RawValues = dict[int, Any]  # by definition id


@dataclass(frozen=True, slots=True)
class Targets:
    """What the references in some values point to."""

    found: Mapping[tuple[str, int], LinkTarget]  # by noun and id
    allowed: Mapping[int, Mapping[int, str]]  # {attribute: {entity: name}}; "" if hidden

    def resolve(self, definition: Definition, value: Value) -> Value:
        """Return `value` with the targets of its links.

        Raises:
            ValueFault: a target does not exist, or is an entry of an entity that is not allowed.
        """
        if not definition.type.is_reference:
            return value
        return Value(tuple(self._resolved(definition, link) for link in value.links))

    def _resolved(self, definition: Definition, link: Link) -> Link:
        if link.target_id is None or link.target is not None:
            return link  # without a target, or stored before
        noun = noun_of(definition.type)
        target = self.found.get((noun, link.target_id))
        if target is None or not target.is_visible:
            raise ValueFault(
                say(
                    "there is no {noun} with the id {target_id}, or it is deleted; send an existing one",
                    noun=noun,
                    target_id=link.target_id,
                )
            )
        allowed = self.allowed.get(definition.id, {})
        if target.schema_id is not None and allowed and target.schema_id not in allowed:
            raise ValueFault(
                say(
                    "entry {target!r} (id {id}) is of entity {schema_name!r}; it may point to "
                    "entries of {values}",
                    target=target.name,
                    id=target.id,
                    schema_name=target.schema_name,
                    values=_named(allowed.values()),
                )
            )
        return replace(link, target=target)


def noun_of(attr_type: AttrType) -> str:
    """Return what references of this type point to."""
    if attr_type & AttrType.OBJECT:
        return "entry"
    return "group" if attr_type & AttrType.GROUP else "role"


class Intake:
    """Reads the attributes of one entry; what is wrong goes into `faults`, keyed with `prefix`."""

    def __init__(
        self, entity_name: str, definitions: Sequence[Definition], faults: Faults, *, prefix: str = ""
    ) -> None:
        self._entity_name = entity_name
        self._by_id = {definition.id: definition for definition in definitions}
        self._by_name = by_clean_name([(definition.name, definition) for definition in definitions])
        self._defaults = {
            each.id: each.default_value for each in definitions if each.default_value is not None
        }
        self._seen = [each.name for each in definitions if each.level >= PermissionLevel.READABLE]
        self.faults = faults
        self.prefix = prefix

    def of_another(self, faults: Faults, prefix: str) -> Intake:
        """Return one of another entry of the entity; what it knows of the attributes is the same."""
        other = object.__new__(Intake)
        vars(other).update(vars(self), faults=faults, prefix=prefix)
        return other

    def sent_entry(self, row: Mapping[str, Any]) -> tuple[Any, Any, RawValues]:
        """Return name, note and values of a new entry as the writer sent them. Any: unchecked."""
        self.check_keys(row, ("name", "note", "attrs"))
        return clean_name(row.get("name", "")), row.get("note", ""), self.sent(row.get("attrs") or {})

    def hooked_entry(self, given: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[Any, Any, RawValues]:
        """Return name, note and values of a new entry as before-hooks made them of what they were `given`."""
        self.check_keys(data, given)
        if data.get("schema", given["schema"]) != given["schema"]:
            fault = say("A before-hook moved the entry out of entity {schema!r}.", schema=self._entity_name)
            self._add("schema", fault, "schema")
        name = data.get("name", given["name"])
        if name != given["name"]:  # else it is clean
            name = clean_name(name)
        return name, data.get("note", given["note"]), self.raw(data.get("attrs", []))

    def sent(self, given: object) -> RawValues:
        """Return what the writer sent as `raw` does; for them there is no attribute that they may not see."""
        return self.raw(given, least=PermissionLevel.READABLE)

    def raw(self, given: object, *, least: int = PermissionLevel.NOTHING) -> RawValues:
        """Return the given values (`GivenAttrs`, unchecked) by definition id; the last of several counts.

        An attribute of which the writer has not the `least` level is unknown.
        """
        if isinstance(given, Mapping):
            return self._found(((name, name, value) for name, value in given.items()), least)
        if isinstance(given, list | tuple):
            return self._found((self._item(item) for item in given), least)
        self._add(
            "attrs",
            say("expected {{name: value}} or a list of items, got {given}.", given=shown(given)),
            "type",
        )
        return {}

    def items(self, raw: RawValues) -> list[dict[str, Any]]:
        """Return ``[{"id", "name", "value"}]`` of the values as they were given: what before-hooks get."""
        return [{"id": key, "name": self._by_id[key].name, "value": value} for key, value in raw.items()]

    def of_new(self, name: object, note: object, raw: RawValues) -> dict[int, Value]:
        """Check a new entry's own fields; return its values, with the defaults of what `raw` leaves out."""
        self.check_name(name)
        self.check_note(note)
        return self.parse(self._defaults | raw)

    def parse(self, raw: RawValues, stored: Mapping[int, Value] = MappingProxyType({})) -> dict[int, Value]:
        """Return the values that are of their attribute's type, as they replace the `stored` ones."""
        parsed: dict[int, Value] = {}
        for key, value in raw.items():
            definition = self._by_id[key]
            try:
                if key in stored:
                    parsed[key] = read_replacement(definition, value, stored[key])
                else:
                    parsed[key] = parse(definition, value)
            except ValueFault as fault:
                self._add_type(definition, fault)
        return parsed

    def with_definitions(self, values: Mapping[int, Value]) -> Iterable[tuple[Definition, Value]]:
        """Return each value with its attribute."""
        return [(self._by_id[key], value) for key, value in values.items()]

    def complete(
        self, values: Mapping[int, Value], targets: Targets, among: Collection[int] | None = None
    ) -> dict[int, Value]:
        """Return the values with the targets of their references; the mandatory attributes must be set.

        These are looked for `among` some ids; None: among those of the values.
        """
        resolved = self._resolved(values, targets)
        self._require(resolved, resolved if among is None else among)
        return resolved

    def _resolved(self, values: Mapping[int, Value], targets: Targets) -> dict[int, Value]:
        resolved: dict[int, Value] = {}
        for definition, value in self.with_definitions(values):
            try:
                resolved[definition.id] = targets.resolve(definition, value)
            except ValueFault as fault:
                self._add_type(definition, fault)
        return resolved

    def _require(self, values: Mapping[int, Value], among: Collection[int]) -> None:
        for key in among:
            definition = self._by_id[key]
            if not definition.is_mandatory or not values.get(key, NOTHING).is_blank:
                continue
            if definition.level >= PermissionLevel.READABLE:
                message = say(
                    "Attribute {definition!r} is mandatory; give it a value.", definition=definition.name
                )
                self._add(definition.name, message, "required")
            else:
                message = say(
                    "An attribute that you may not see is mandatory; ask somebody who may write it."
                )
                self._add("attrs", message, "required")

    def check_name(self, name: object) -> None:
        """Check that `name` can be an entry's name."""
        fault = name_fault(name)
        if fault is not None:
            self._add(
                "name",
                say(
                    "The name of an entry of {entity_name!r} {fault}.",
                    entity_name=self._entity_name,
                    fault=fault,
                ),
                "name",
            )

    def check_note(self, note: object) -> None:
        """Check that `note` can be an entry's note."""
        fault = text_fault(note, MAX_NOTE_LENGTH)
        if fault is not None:
            self._add("note", say("The note: {fault}.", fault=fault), "note")

    def check_keys(self, given: Mapping[str, Any], known: Collection[str]) -> None:
        """Check that `given` has no fields but the `known`."""
        for key in given.keys() - set(known):
            self._add_unknown(str(key), say("An entry has no field {key}.", key=shown(key)), known)

    def add_taken(self, name: str) -> None:
        """Add that another entry has the name."""
        self._add(
            "name",
            say(
                "Entity {entity_name!r} already has an entry named {name!r}; choose another name.",
                entity_name=self._entity_name,
                name=name,
            ),
            "taken",
        )

    def levels(self, keys: Iterable[int]) -> dict[str, int]:
        """Return the writer's level on each of these attributes, by name."""
        return {self._by_id[key].name: self._by_id[key].level for key in keys}

    def _found(self, given: Iterable[tuple[object, str, Any] | None], least: int) -> RawValues:
        raw: RawValues = {}
        for item in given:
            if item is None:
                continue
            key, label, value = item
            if isinstance(key, str):  # most are sent clean, and need no cleaning
                definition = self._by_name.get(key) or self._by_name.get(clean_name(key))
            else:
                definition = self._by_id.get(_as_id(key))
            if definition is None or definition.level < least:
                nothing = say(
                    "Entity {entity_name!r} has no attribute {label}.",
                    entity_name=self._entity_name,
                    label=shown(label),
                )
                self._add_unknown(label, nothing, self._seen)
            else:
                raw[definition.id] = value
        return raw

    def _item(self, item: object) -> tuple[object, str, Any] | None:
        if not isinstance(item, Mapping) or "value" not in item or not ("id" in item or "name" in item):
            self._add(
                "attrs",
                say("expected {{'id' or 'name', 'value'}} for each attribute, got {item}.", item=shown(item)),
                "type",
            )
            return None
        key = item.get("id", item.get("name"))
        return key, str(item.get("name", key)), item["value"]

    def _add_unknown(self, label: str, nothing: str, known: Collection[str]) -> None:
        hint = "" if self.faults.is_full else f"{near_misses(label, known)} {_listed(known)}"
        self._add(label, nothing + hint, "unknown")

    def _add(self, key: str, message: str, code: str) -> None:
        self.faults.add(self.prefix + key, message, code)

    def _add_type(self, definition: Definition, fault: ValueFault) -> None:
        self.faults.add_type(
            self.prefix + definition.name,
            say("Attribute {definition!r}: {fault}", definition=definition.name, fault=fault),
        )


def _listed(known: Collection[str]) -> str:
    return (
        say("There are {known}.", known=listed([repr(name) for name in sorted(known)]))
        if known
        else say("There are none.")
    )


def _as_id(key: object) -> int:
    return key if isinstance(key, int) and not isinstance(key, bool) else 0


def _named(entities: Iterable[str]) -> str:
    """Return the entities that have a name: those that the writer may see."""
    return listed([repr(name) for name in sorted(entities) if name]) or "other entities"

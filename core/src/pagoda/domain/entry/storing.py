"""How values are stored: as versions, which are the history, and the current ones in the entry's own row.

The row has ``{attribute's id: value}`` as JSON. A value is what `to_storage` makes of it; a reference is the
target's id, a named one ``{"name", "id"}``; the id is null without a target. What is not set is null or
missing. The history is what holds: a row without current values is read from there.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.db import connection
from django.db.models import BooleanField, F, Func
from django.utils import timezone

from pagoda.domain.acting import acting_through
from pagoda.domain.entry.lookups import ThingKind, kind_of
from pagoda.domain.entry.models import Attribute, AttributeReference, AttributeValue, Entry
from pagoda.domain.planning import keeping_plan
from pagoda.domain.stamped import insert_rows
from pagoda.domain.user.models import User
from pagoda.domain.writing import is_confined
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.scalar_types import Scalar
from pagoda_plugin_sdk.rules.state import NOTHING, Definition, EntryState, Link, LinkTarget, Value
from pagoda_plugin_sdk.rules.value_types import from_storage, to_storage

if TYPE_CHECKING:
    from django.db.models.sql.compiler import SQLCompiler

_BATCH_SIZE: Final = 500
_ENTRIES_AT_ONCE: Final = 1_000

type Current = dict[str, Any]  # Any: JSON of the attribute's type


class NewVersion(NamedTuple):
    """A value to become the latest version of an attribute."""

    entry_id: int
    attribute_id: int
    definition: Definition
    value: Value
    current: Any  # Any: its JSON in the entry's row


def add_entries(entries: Sequence[Entry], currents: Sequence[Current]) -> None:
    """Store many new entries of one entity, which get their ids; no signals are sent."""
    first, now = entries[0], timezone.now()
    alike = {
        "schema": first.schema_id,
        "created_user": first.created_user_id,
        "created_time": now,
        "updated_time": now,
        "is_active": True,
        "default_permission": first.default_permission,
    }
    rows = [
        (entry.name, entry.note, json.dumps(current))
        for entry, current in zip(entries, currents, strict=True)
    ]
    names = ("name", "note", Entry.UNSAVED)
    for entry, pk in zip(entries, insert_rows(Entry, alike, names, rows), strict=True):
        entry.pk, entry.created_time, entry.updated_time = pk, now, now
        entry._state.adding, entry._state.db = False, connection.alias


def add_history(
    entries: Sequence[Entry], states: Sequence[EntryState], currents: Sequence[Current], maker: User | None
) -> None:
    """Give new entries their attributes, and those that are set their first versions."""
    rows = [
        (entry, each, state.values.get(each.id, NOTHING), current.get(str(each.id)))
        for entry, state, current in zip(entries, states, currents, strict=True)
        for each in state.definitions
    ]
    if connection.vendor == "postgresql" and not is_confined():
        _write(rows, maker, of_new=True)
        return
    attributes = _add_attributes(entries, states[0].definitions, maker)
    versions = [
        NewVersion(entry.pk, attributes[entry.pk, each.id], each, value, current)
        for entry, each, value, current in rows
        if value.elements
    ]
    _add_versions(versions, maker)


def _add_attributes(
    entries: Iterable[Entry], definitions: Sequence[Definition], maker: User | None
) -> dict[tuple[int, int], int]:
    """Give new entries their attributes; return their ids by entry id and definition id."""
    keys = [(entry.pk, definition.id, definition.name) for entry in entries for definition in definitions]
    ids = insert_rows(Attribute, _stamps(maker), ("parent_entry", "schema", "name"), keys)
    return {key[:2]: pk for key, pk in zip(keys, ids, strict=True)}


# Null, which the column refuses, where the attribute got another type since the writer read it: a clash.
_IS_OF_TYPE: Final = "(SELECT TRUE FROM entity_entityattr s WHERE s.id = {3} AND s.type = {4})"


def _add_versions(versions: Sequence[NewVersion], maker: User | None) -> None:
    """Store values as the latest versions of attributes that have none."""
    rows = [
        (
            each.attribute_id,
            each.entry_id,
            None if each.definition.type.is_reference else json.dumps(each.current),
            each.definition.id,
            each.definition.type,
        )
        for each in versions
    ]
    alike = _stamps(maker) | {"is_latest": True, "is_in_entry": True} | acting_through()
    del alike["is_active"]
    own = ("parent_attr", "parent_entry", "value")
    ids = insert_rows(AttributeValue, alike, own, rows, {"is_active": _IS_OF_TYPE})
    references = []
    for version, pk in zip(versions, ids, strict=True):
        kind = _TARGET_FIELDS.get(version.definition.type.element)
        for ordinal, link in enumerate(version.value.links if kind else ()):
            targets = [link.target_id if each == kind else None for each in _TARGETS]
            references.append((pk, ordinal, link.name, *targets))
    if references:
        insert_rows(AttributeReference, {}, ("value", "ordinal", "name", *_TARGETS), references)


_TARGETS: Final = ("entry", "group", "role")


def _stamps(maker: User | None) -> dict[str, Any]:
    return {"is_active": True, "created_time": timezone.now(), "created_user": maker and maker.pk}


class NewValues(NamedTuple):
    """What becomes history of one entry."""

    entry: Entry
    definitions: Sequence[Definition]
    values: Mapping[int, Value]  # of these definitions
    current: Current  # their JSON


def replace_versions(changed: Sequence[NewValues], maker: User | None) -> None:
    """Make values the latest versions of attributes of entries; the caller holds the locks on their rows.

    PostgreSQL takes one query; SQLite two, one more for references and where an attribute never had a value,
    for each set of attributes.
    """
    if connection.vendor == "postgresql" and not is_confined():
        rows = [
            (each.entry, definition, each.values[definition.id], each.current[str(definition.id)])
            for each in changed
            for definition in each.definitions
        ]
        if rows:
            _write(rows, maker, of_new=False)
        return
    alike: defaultdict[tuple[int, ...], list[NewValues]] = defaultdict(list)
    for each in changed:
        alike[tuple(sorted(each.values))].append(each)
    for of_set in alike.values():
        for batch in batched(of_set, _ENTRIES_AT_ONCE):
            attributes = _attributes(batch, maker)
            versions = [
                NewVersion(
                    each.entry.pk,
                    attributes[each.entry.pk, definition.id],
                    definition,
                    each.values[definition.id],
                    each.current[str(definition.id)],
                )
                for each in batch
                for definition in each.definitions
            ]
            _add_versions(versions, maker)


# In one statement. What is added reads what is superseded, as an attribute has one latest version, and is
# refused where the attribute got another type since the writer read it.
_WRITE: Final = """
WITH given AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(%s::jsonb)
    AS given(entry bigint, attr bigint, name text, type integer, value jsonb, is_set boolean, links jsonb)),
known AS MATERIALIZED (
  SELECT a.id, a.parent_entry_id, a.schema_id, a.is_active FROM entry_attribute a
  JOIN given ON a.parent_entry_id = given.entry AND a.schema_id = given.attr),
made AS (
  INSERT INTO entry_attribute (is_active, created_time, created_user_id, parent_entry_id, schema_id, name)
  SELECT TRUE, %s, %s::bigint, entry, attr, name FROM given WHERE NOT EXISTS (
    SELECT FROM known WHERE parent_entry_id = entry AND schema_id = attr AND is_active)
  ON CONFLICT (parent_entry_id, schema_id) DO UPDATE SET is_active = TRUE
  RETURNING id, parent_entry_id, schema_id),
superseded AS (
  UPDATE entry_attributevalue SET is_latest = FALSE
  WHERE is_latest AND parent_attr_id IN (SELECT id FROM known) RETURNING parent_attr_id),
attributes AS (
  SELECT id, parent_entry_id, schema_id FROM known WHERE is_active UNION ALL SELECT * FROM made),
added AS (
  INSERT INTO entry_attributevalue (is_active, created_time, created_user_id, parent_attr_id, parent_entry_id,
    value, is_latest, is_in_entry, plugin, job_id)
  SELECT NULLIF(kind.type = given.type, FALSE), %s, %s::bigint, attributes.id, entry, value, TRUE, TRUE,
    %s, %s::bigint
  FROM given JOIN attributes ON parent_entry_id = entry AND schema_id = attr
  JOIN entity_entityattr kind ON kind.id = attr
  LEFT JOIN superseded ON superseded.parent_attr_id = attributes.id
  WHERE is_set
  RETURNING id, parent_attr_id)
INSERT INTO entry_attributereference (value_id, ordinal, name, entry_id, group_id, role_id)
SELECT added.id, link.ordinal, link.name, link.entry_id, link.group_id, link.role_id
FROM added JOIN attributes ON attributes.id = added.parent_attr_id
JOIN given ON parent_entry_id = entry AND schema_id = attr
CROSS JOIN LATERAL jsonb_to_recordset(given.links)
  AS link(ordinal integer, name text, entry_id bigint, group_id bigint, role_id bigint)
"""


def _write(rows: Sequence[tuple[Entry, Definition, Value, Any]], maker: User | None, *, of_new: bool) -> None:
    """Make values the latest versions of attributes; of new entries what is not set has none."""
    given = [
        {
            "entry": entry.pk,
            "attr": each.id,
            "name": each.name,
            "type": each.type,
            "value": None if each.type.is_reference else current,
            "is_set": bool(value.elements) or not of_new,
            "links": [
                {"ordinal": n, "name": link.name, f"{_TARGET_FIELDS[each.type.element]}_id": link.target_id}
                for n, link in enumerate(value.links)
            ],
        }
        for entry, each, value, current in rows
    ]
    stamps = [timezone.now(), None if maker is None else maker.pk]
    with keeping_plan() as cursor:
        cursor.execute(_WRITE, [json.dumps(given), *stamps, *stamps, *acting_through().values()])


_SUPERSEDE: Final = """
UPDATE entry_attributevalue SET is_latest = %s
WHERE is_latest AND parent_entry_id IN ({entries}) AND parent_attr_id IN (
  SELECT id FROM entry_attribute WHERE parent_entry_id IN ({entries}) AND schema_id IN ({ids}))
RETURNING parent_entry_id, parent_attr_id, (
  SELECT schema_id FROM entry_attribute known WHERE known.id = parent_attr_id AND known.is_active)
"""


def _attributes(changed: Sequence[NewValues], maker: User | None) -> dict[tuple[int, int], int]:
    """Return the ids of the same attributes of entries by both ids, which have no latest version any more.

    SQL, as it tells which rows there are by the way: one query unless some never had a value.
    """
    rows = {
        (each.entry.pk, definition.id): _attribute(each.entry, definition, maker)
        for each in changed
        for definition in each.definitions
    }
    entries = [each.entry.pk for each in changed]
    ids = [definition.id for definition in changed[0].definitions]
    places = {"entries": ", ".join(["%s"] * len(entries)), "ids": ", ".join(["%s"] * len(ids))}
    with connection.cursor() as cursor:
        cursor.execute(_SUPERSEDE.format(**places), [False, *entries, *entries, *ids])
        for entry_id, pk, definition_id in cursor.fetchall():
            if definition_id is not None:
                rows[entry_id, definition_id].pk = pk
    unseen = [row for row in rows.values() if not row.pk]
    if unseen:
        # The row may exist without a value, or somebody may make it right now; its id comes back anyway.
        Attribute.objects.bulk_create(
            unseen,
            batch_size=_BATCH_SIZE,
            update_conflicts=True,
            unique_fields=["parent_entry", "schema"],
            update_fields=["is_active"],
        )
    return {key: row.pk for key, row in rows.items()}


def _attribute(entry: Entry, definition: Definition, maker: User | None) -> Attribute:
    return Attribute(parent_entry=entry, schema_id=definition.id, name=definition.name, created_user=maker)


_TARGET_FIELDS: Final[Mapping[AttrType, str]] = {
    AttrType.OBJECT: "entry",
    AttrType.OBJECT | AttrType.NAMED: "entry",
    AttrType.GROUP: "group",
    AttrType.ROLE: "role",
}


_UNKNOWN: Final = LinkTarget(id=0, name="", is_active=False)
"""What stands for a target that the database does not show to this account: kept, and shown to nobody."""


def to_current(definition_type: AttrType, value: Value) -> Any:  # Any: JSON
    """Return the JSON of a value."""
    if not definition_type.is_reference:
        return to_storage(definition_type, value)
    is_named = AttrType.NAMED in definition_type
    elements = [
        {"name": link.name, "id": link.target_id} if is_named else link.target_id for link in value.links
    ]
    if definition_type.is_array:
        return elements or None
    return elements[0] if elements else None


def current_of(definitions: Iterable[Definition], values: Mapping[int, Value]) -> Current:
    """Return the JSON of the values, by definition id, of some attributes."""
    return {str(each.id): to_current(each.type, values[each.id]) for each in definitions if each.id in values}


def links_in(definitions: Iterable[Definition], current: Current) -> Iterator[tuple[ThingKind, int]]:
    """Yield what the references in some values point to."""
    for each in definitions:
        if each.type.is_reference:
            for link in _links(each.type, current.get(str(each.id))):
                if link.target_id is not None:
                    yield kind_of(each.type), link.target_id


def values_in(
    definitions: Iterable[Definition], current: Current, targets: Mapping[tuple[ThingKind, int], LinkTarget]
) -> dict[int, Value]:
    """Return the values by definition id, with the targets of their references."""
    values = {}
    for each in definitions:
        stored = current.get(str(each.id))
        if stored is None:
            continue
        if each.type.is_reference:
            kind = kind_of(each.type)
            values[each.id] = Value(
                tuple(
                    link
                    if link.target_id is None
                    else Link(
                        name=link.name,
                        target_id=link.target_id,
                        target=targets.get((kind, link.target_id), _UNKNOWN),
                    )
                    for link in _links(each.type, stored)
                )
            )
        else:
            values[each.id] = from_storage(each.type, stored)
    return values


def _links(attr_type: AttrType, stored: Any) -> Iterator[Link]:
    for element in stored or () if attr_type.is_array else () if stored is None else (stored,):
        if isinstance(element, dict):
            yield Link(name=element["name"], target_id=element["id"])
        else:
            yield Link(target_id=element)


class HoldsOneOf(Func):
    """Whether an entry's current value of an attribute, by its id, is one of some plain values."""

    output_field = BooleanField()

    def __init__(self, attr_id: int, values: Sequence[Scalar]) -> None:
        super().__init__(F("current_values"))
        self._key, self._values = str(attr_id), json.dumps(values)

    # Any below: what a template of Func would use

    def as_postgresql(
        self, compiler: SQLCompiler, *_args: Any, **_context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        column, params = compiler.compile(self.get_source_expressions()[0])
        sql = f"({column} -> %s) IN (SELECT jsonb_array_elements(%s::jsonb))"
        return sql, (*params, self._key, self._values)

    def as_sqlite(self, compiler: SQLCompiler, *_args: Any, **_context: Any) -> tuple[str, tuple[Any, ...]]:
        column, params = compiler.compile(self.get_source_expressions()[0])
        sql = f"JSON_EXTRACT({column}, %s) IN (SELECT value FROM JSON_EACH(%s))"  # noqa: S608 - a column
        return sql, (*params, f'$."{self._key}"', self._values)

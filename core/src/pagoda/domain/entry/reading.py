"""Attributes of entries as they are stored: one query for any number of entries, whatever their types."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from pagoda.domain.entity.attr_types import AttrType
from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.rows import Row, definition_rows, own_rows, value_rows
from pagoda.domain.entry.state import Definition, EntryState, Link, StoredEntry, Target, Value
from pagoda.domain.entry.value_types import from_storage
from pagoda.domain.user.models import Level
from pagoda.domain.user.permissions import Viewer


def read_states(entries: Sequence[Entry], viewer: Viewer | None = None) -> dict[int, EntryState]:
    """Return the attributes of each entry by its id, in one query; without viewer as the host sees them."""
    if not entries:
        return {}
    definitions = definition_rows({entry.schema_id for entry in entries}, viewer)
    rows = _Sorted(definitions.union(value_rows([entry.pk for entry in entries], viewer), all=True))
    return {entry.pk: rows.state(entry, viewer) for entry in entries}


def read_state(entry: Entry) -> EntryState:
    """Return the attributes of one entry as the host sees them, in one query."""
    return read_states([entry])[entry.pk]


def read_for_update(entry: Entry, viewer: Viewer | None) -> EntryState:
    """Return the attributes of `entry`, and its own fields if it is still stored, in one query."""
    definitions = definition_rows({entry.schema_id}, viewer)
    rows = _Sorted(definitions.union(value_rows([entry.pk], viewer), own_rows(entry.pk), all=True))
    return rows.state(entry, viewer)


def read_definitions(entity_id: int, viewer: Viewer | None) -> tuple[Definition, ...]:
    """Return the attributes of an entity in their order, in one query."""
    return _Sorted(definition_rows({entity_id}, viewer)).definitions(entity_id)


class _Sorted:
    """The rows of the query, by what they belong to."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._by_entry: defaultdict[int, list[Row]] = defaultdict(list)
        self._by_entity: defaultdict[int, list[Definition]] = defaultdict(list)
        for row in map(Row._make, rows):
            if row.entry is not None:
                self._by_entry[row.entry].append(row)
            else:
                definition = _definition(row)
                self._by_entity[definition.entity_id].append(definition)

    def definitions(self, entity_id: int) -> tuple[Definition, ...]:
        return tuple(sorted(self._by_entity[entity_id], key=lambda each: (each.index, each.id)))

    def state(self, entry: Entry, viewer: Viewer | None) -> EntryState:
        definitions = self.definitions(entry.schema_id)
        by_definition: defaultdict[int | None, list[Row]] = defaultdict(list)
        for row in self._by_entry[entry.pk]:
            by_definition[row.definition].append(row)
        known = [definition for definition in definitions if definition.id in by_definition]
        own = by_definition.get(None)
        return EntryState(
            definitions=definitions,
            values={each.id: _value(each, by_definition[each.id]) for each in known},
            attribute_ids={each.id: by_definition[each.id][0].attribute or 0 for each in known},
            viewer=viewer,
            entry=_stored_entry(own[0]) if own else None,
        )


def _definition(row: Row) -> Definition:
    return Definition(
        id=row.definition or 0,
        entity_id=row.attribute or 0,
        name=row.text or "",
        type=AttrType(row.target or 0),
        is_mandatory=bool(row.flag),
        index=row.number or 0,
        default_value=row.data,
        choices=tuple(row.choices or ()),
        level=Level(row.level or Level.NOTHING),
    )


def _value(definition: Definition, rows: Sequence[Row]) -> Value:
    if not definition.type.is_reference:
        return from_storage(definition.type, rows[0].data)
    links = [row for row in rows if row.number is not None]
    return Value(tuple(_link(row) for row in sorted(links, key=lambda row: row.number or 0)))


def _link(row: Row) -> Link:
    if row.target is None:
        return Link(name=row.text or "")
    target = Target(
        id=row.target,
        name=row.long_text or "",
        schema_id=row.schema,
        schema_name=row.schema_name,
        is_active=bool(row.flag),
        is_visible=bool(row.is_visible),
    )
    return Link(name=row.text or "", target_id=row.target, target=target)


def _stored_entry(row: Row) -> StoredEntry:
    return StoredEntry(name=row.text or "", note=row.long_text or "", is_active=bool(row.flag))

"""Attributes of entries: read in one query for any number of entries, given in the forms that callers get."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import batched
from typing import Any, Final

from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.rows import UnionRow, definition_rows, entity_rows, own_rows, value_rows
from pagoda.domain.user.models import Level
from pagoda.domain.user.permissions import Viewer
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.state import Definition, EntryState, Link, LinkTarget, OwnFields, Schema, Value
from pagoda_plugin_sdk.rules.value_types import attrs_of, from_storage

_BATCH_SIZE: Final = 5_000  # SQLite takes 32,766 parameters in a query


def read_states(entries: Sequence[Entry], viewer: Viewer | None = None) -> dict[int, EntryState]:
    """Return the attributes of each entry by its id; without viewer as the host sees them.

    One query for up to 5,000 entries, none for none.
    """
    states: dict[int, EntryState] = {}
    for batch in batched(entries, _BATCH_SIZE):
        definitions = definition_rows({entry.schema_id for entry in batch}, viewer)
        rows = _Sorted(definitions.union(value_rows([entry.pk for entry in batch], viewer), all=True))
        states |= {entry.pk: rows.state(entry, viewer) for entry in batch}
    return states


def read_state(entry: Entry) -> EntryState:
    """Return the attributes of one entry as the host sees them, in one query."""
    return read_states([entry])[entry.pk]


def read_for_update(entry: Entry, viewer: Viewer | None) -> EntryState:
    """Return the attributes of `entry`, and its own fields if it is still stored, in one query."""
    definitions = definition_rows({entry.schema_id}, viewer)
    rows = _Sorted(definitions.union(value_rows([entry.pk], viewer), own_rows(entry.pk, viewer), all=True))
    return rows.state(entry, viewer)


def read_schema(entity_id: int, viewer: Viewer | None) -> Schema:
    """Return an entity as it is stored now, with its attributes in their order, in one query."""
    rows = _Sorted(definition_rows({entity_id}, viewer).union(entity_rows(entity_id, viewer), all=True))
    return Schema(
        is_active=rows.is_active_entity, level=rows.entity_level, definitions=rows.definitions(entity_id)
    )


def read_attrs(
    entries: Sequence[Entry], viewer: Viewer | None = None
) -> dict[int, dict[str, Any]]:  # Any: values of every type
    """Return ``{entry id: {attribute name: value}}`` in Python, in one query; see `read_states`."""
    return {pk: attrs_of(state) for pk, state in read_states(entries, viewer).items()}


class _Sorted:
    """The rows of the query, by what they belong to."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._by_entry: defaultdict[int, list[UnionRow]] = defaultdict(list)
        self._by_entity: defaultdict[int, list[Definition]] = defaultdict(list)
        self.is_active_entity = False
        self.entity_level = Level.NOTHING
        for row in map(UnionRow._make, rows):
            if row.entry is not None:
                self._by_entry[row.entry].append(row)
            elif row.definition is None:
                self.is_active_entity, self.entity_level = bool(row.flag), _level(row)
            else:
                definition = _definition(row)
                self._by_entity[definition.entity_id].append(definition)

    def definitions(self, entity_id: int) -> tuple[Definition, ...]:
        return tuple(sorted(self._by_entity[entity_id], key=lambda each: (each.index, each.id)))

    def state(self, entry: Entry, viewer: Viewer | None) -> EntryState:
        definitions = self.definitions(entry.schema_id)
        by_definition: defaultdict[int | None, list[UnionRow]] = defaultdict(list)
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


def _definition(row: UnionRow) -> Definition:
    return Definition(
        id=row.definition or 0,
        entity_id=row.attribute or 0,
        name=row.text or "",
        type=AttrType(row.target or 0),
        is_mandatory=bool(row.flag),
        index=row.number or 0,
        default_value=row.data,
        choices=tuple(row.choices or ()),
        level=_level(row),
        is_open=bool(row.is_visible),
    )


def _value(definition: Definition, rows: Sequence[UnionRow]) -> Value:
    if not definition.type.is_reference:
        return from_storage(definition.type, rows[0].data)
    links = [row for row in rows if row.number is not None]
    return Value(tuple(_link(row) for row in sorted(links, key=lambda row: row.number or 0)))


def _link(row: UnionRow) -> Link:
    if row.target is None:
        return Link(name=row.text or "")
    target = LinkTarget(
        id=row.target,
        name=row.long_text or "",
        schema_id=row.schema,
        schema_name=row.schema_name,
        is_active=bool(row.flag),
        is_visible=bool(row.is_visible),
    )
    return Link(name=row.text or "", target_id=row.target, target=target)


def _stored_entry(row: UnionRow) -> OwnFields:
    return OwnFields(
        name=row.text or "", note=row.long_text or "", is_active=bool(row.flag), level=_level(row)
    )


def _level(row: UnionRow) -> Level:
    return Level(row.level or Level.NOTHING)

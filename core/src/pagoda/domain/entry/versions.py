"""Versions of values, which are the history: the first ones of new entries, and those that replace others."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import batched
from typing import Any, Final, NamedTuple

from django.db import connection
from django.utils import timezone

from pagoda.config.accounts import PLUGIN_PREFIX
from pagoda.domain.acting import acting_through
from pagoda.domain.entry.models import Attribute, AttributeReference, AttributeValue, Entry
from pagoda.domain.entry.storing import Current
from pagoda.domain.planning import keeping_plan
from pagoda.domain.stamped import insert_rows
from pagoda.domain.user.models import User
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.state import NOTHING, Definition, EntryState, Value

_BATCH_SIZE: Final = 500
_ENTRIES_AT_ONCE: Final = 1_000


class NewVersion(NamedTuple):
    """A value to become the latest version of an attribute."""

    entry_id: int
    attribute_id: int
    definition: Definition
    value: Value
    current: Any  # Any: its JSON in the entry's row


def is_confined() -> bool:
    """Return whether the database limits the rows of this process, as it does those of a plugin's worker.

    Its policies don't see rows that the same statement has written, on which others depend.
    """
    return str(connection.settings_dict["USER"]).startswith(PLUGIN_PREFIX)


def add_history(
    entries: Sequence[Entry], states: Sequence[EntryState], currents: Sequence[Current], maker: User | None
) -> None:
    """Give new entries of one entity their attributes, and those that are set their first versions."""
    definitions = states[0].definitions
    if connection.vendor == "postgresql" and not is_confined():
        _begin([entry.pk for entry in entries], definitions, maker)
        return
    attributes = _add_attributes(entries, definitions, maker)
    versions = [
        NewVersion(entry.pk, attributes[entry.pk, each.id], each, value, current[str(each.id)])
        for entry, state, current in zip(entries, states, currents, strict=True)
        for each in definitions
        if (value := state.values.get(each.id, NOTHING)).elements
    ]
    _add_versions(versions, maker)


# In one statement, from what the entries' rows hold already. It is refused where an attribute got another
# type since the writer read it.
_BEGIN: Final = """
WITH attr AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(%s::jsonb) AS attr(id bigint, name text, type integer, target text)),
entry AS MATERIALIZED (SELECT id, current_values FROM entry_entry WHERE id = ANY(%s::bigint[])),
made AS (
  INSERT INTO entry_attribute (is_active, created_time, created_user_id, parent_entry_id, schema_id, name)
  SELECT TRUE, %s, %s::bigint, entry.id, attr.id, attr.name FROM entry CROSS JOIN attr
  RETURNING id, parent_entry_id, schema_id),
held AS MATERIALIZED (
  SELECT made.id AS attribute, entry.id AS entry, attr.id AS attr, attr.type, attr.target,
    entry.current_values -> attr.id::text AS value
  FROM made JOIN entry ON entry.id = made.parent_entry_id JOIN attr ON attr.id = made.schema_id
  WHERE (entry.current_values -> attr.id::text) NOT IN ('null'::jsonb, '[]'::jsonb)),
added AS (
  INSERT INTO entry_attributevalue (is_active, created_time, created_user_id, parent_attr_id, parent_entry_id,
    value, is_latest, is_in_entry, plugin, job_id)
  SELECT NULLIF(kind.type = held.type, FALSE), %s, %s::bigint, held.attribute, held.entry,
    CASE WHEN held.target IS NULL THEN held.value END, TRUE, TRUE, %s, %s::bigint
  FROM held JOIN entity_entityattr kind ON kind.id = held.attr
  RETURNING id, parent_attr_id)
INSERT INTO entry_attributereference (value_id, ordinal, name, entry_id, group_id, role_id)
SELECT added.id, link.ordinal - 1, COALESCE(link.value ->> 'name', ''),
  CASE target WHEN 'entry' THEN to_id END,
  CASE target WHEN 'group' THEN to_id END, CASE target WHEN 'role' THEN to_id END
FROM held JOIN added ON added.parent_attr_id = held.attribute
CROSS JOIN LATERAL jsonb_array_elements(
  CASE jsonb_typeof(held.value) WHEN 'array' THEN held.value ELSE jsonb_build_array(held.value) END)
  WITH ORDINALITY AS link(value, ordinal)
CROSS JOIN LATERAL (SELECT (
  CASE jsonb_typeof(link.value) WHEN 'object' THEN link.value ->> 'id' ELSE link.value #>> '{}' END)::bigint)
  AS linked(to_id)
WHERE held.target IS NOT NULL
"""


def _begin(entry_ids: Sequence[int], definitions: Sequence[Definition], maker: User | None) -> None:
    attrs = [
        {"id": each.id, "name": each.name, "type": each.type, "target": _TARGET_FIELDS.get(each.type.element)}
        for each in definitions
    ]
    stamps = [timezone.now(), maker and maker.pk]
    with keeping_plan() as cursor:
        values = [json.dumps(attrs), list(entry_ids), *stamps, *stamps, *acting_through().values()]
        cursor.execute(_BEGIN, values)


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
            _write(rows, maker)
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
    AS given(entry bigint, attr bigint, name text, type integer, value jsonb, links jsonb)),
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
  RETURNING id, parent_attr_id)
INSERT INTO entry_attributereference (value_id, ordinal, name, entry_id, group_id, role_id)
SELECT added.id, link.ordinal, link.name, link.entry_id, link.group_id, link.role_id
FROM added JOIN attributes ON attributes.id = added.parent_attr_id
JOIN given ON parent_entry_id = entry AND schema_id = attr
CROSS JOIN LATERAL jsonb_to_recordset(given.links)
  AS link(ordinal integer, name text, entry_id bigint, group_id bigint, role_id bigint)
"""


def _write(rows: Sequence[tuple[Entry, Definition, Value, Any]], maker: User | None) -> None:
    """Make values the latest versions of attributes."""
    given = [
        {
            "entry": entry.pk,
            "attr": each.id,
            "name": each.name,
            "type": each.type,
            "value": None if each.type.is_reference else current,
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

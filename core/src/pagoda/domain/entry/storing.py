"""How values are stored: as versions, which are the history, and the current ones in the entry's own row.

The row has ``{attribute's id: value}`` as JSON. A value is what `to_storage` makes of it; a reference is the
target's id, a named one ``{"name", "id"}``; the id is null without a target. What is not set is null or
missing. The history is what holds: a row without current values is read from there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import connection
from django.db.models import F, Func, JSONField
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from pagoda.domain.entry.lookups import ThingKind, kind_of
from pagoda.domain.entry.models import Attribute, AttributeReference, AttributeValue, Entry
from pagoda.domain.user.models import User
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.state import Definition, EntryState, Link, LinkTarget, Value
from pagoda_plugin_sdk.rules.value_types import from_storage, to_storage

if TYPE_CHECKING:
    from django.db.models.sql.compiler import SQLCompiler

_BATCH_SIZE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A value to become the latest version of an attribute."""

    attribute: Attribute
    definition: Definition
    value: Value
    current: Any  # Any: its JSON in the entry's row


def add_attributes(
    entries: Iterable[Entry], definitions: Sequence[Definition], maker: User | None
) -> dict[tuple[int, int], Attribute]:
    """Give new entries their attributes; return them by entry id and definition id."""
    rows = [_attribute(entry, definition, maker) for entry in entries for definition in definitions]
    Attribute.objects.bulk_create(rows, batch_size=_BATCH_SIZE)
    return {(row.parent_entry_id, row.schema_id): row for row in rows}


def add_versions(versions: Sequence[NewVersion], maker: User | None) -> None:
    """Store values as the latest versions of attributes that have none."""
    rows = [_value(version, maker) for version in versions]
    AttributeValue.objects.bulk_create(rows, batch_size=_BATCH_SIZE)
    references = [
        _reference(row, version.definition, ordinal, link)
        for row, version in zip(rows, versions, strict=True)
        for ordinal, link in enumerate(version.value.links)
    ]
    if references:
        AttributeReference.objects.bulk_create(references, batch_size=_BATCH_SIZE)


def replace_versions(
    entry: Entry, state: EntryState, values: Mapping[int, Value], current: Current, maker: User | None
) -> None:
    """Make `values` the latest versions of attributes of `entry`; the caller holds the lock on its row."""
    definitions = [state.definition(key) for key in values]
    attributes = _attributes(entry, definitions, maker)
    versions = [
        NewVersion(
            attribute=attributes[each.id],
            definition=each,
            value=values[each.id],
            current=current[str(each.id)],
        )
        for each in definitions
    ]
    add_versions(versions, maker)


_SUPERSEDE: Final = """
UPDATE {value} SET is_latest = %s WHERE is_latest AND parent_entry_id = %s AND parent_attr_id IN (
  SELECT id FROM {attribute} WHERE parent_entry_id = %s AND schema_id IN ({ids}))
RETURNING parent_attr_id, (
  SELECT schema_id FROM {attribute} known WHERE known.id = parent_attr_id AND known.is_active)
"""


def _attributes(entry: Entry, definitions: Sequence[Definition], maker: User | None) -> dict[int, Attribute]:
    """Return the rows of these attributes by definition id, which have no latest version any more.

    SQL, as it tells which rows there are by the way: one query unless some never had a value.
    """
    rows = {each.id: _attribute(entry, each, maker) for each in definitions}
    quote = connection.ops.quote_name
    tables = {"value": quote(AttributeValue._meta.db_table), "attribute": quote(Attribute._meta.db_table)}
    with connection.cursor() as cursor:
        sql = _SUPERSEDE.format(**tables, ids=", ".join(["%s"] * len(rows)))
        cursor.execute(sql, [False, entry.pk, entry.pk, *rows])
        for pk, definition_id in cursor.fetchall():
            if definition_id is not None:
                rows[definition_id].pk = pk
    unseen = [row for row in rows.values() if not row.pk]
    if unseen:
        # The row may exist without a value, or somebody may make it right now; its id comes back anyway.
        Attribute.objects.bulk_create(
            unseen,
            update_conflicts=True,
            unique_fields=["parent_entry", "schema"],
            update_fields=["is_active"],
        )
    return rows


def _attribute(entry: Entry, definition: Definition, maker: User | None) -> Attribute:
    return Attribute(parent_entry=entry, schema_id=definition.id, name=definition.name, created_user=maker)


def _value(version: NewVersion, maker: User | None) -> AttributeValue:
    return AttributeValue(
        parent_attr=version.attribute,
        parent_entry_id=version.attribute.parent_entry_id,
        value=None if version.definition.type.is_reference else version.current,
        created_user=maker,
        is_in_entry=True,
    )


_TARGET_FIELDS: Final[Mapping[AttrType, str]] = {
    AttrType.OBJECT: "entry_id",
    AttrType.OBJECT | AttrType.NAMED: "entry_id",
    AttrType.GROUP: "group_id",
    AttrType.ROLE: "role_id",
}


def _reference(row: AttributeValue, definition: Definition, ordinal: int, link: Link) -> AttributeReference:
    target = {_TARGET_FIELDS[definition.type.element]: link.target_id}
    return AttributeReference(value=row, ordinal=ordinal, name=link.name, **target)


type Current = dict[str, Any]  # Any: JSON of the attribute's type

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


def merged(current: Current) -> Combinable:
    """Return the expression of the column with these values in place of the former; null stays null.

    The database merges, as somebody else may have changed other values since they were read.
    """
    return _Merged(F("current_values"), current)


class _Merged(Func):
    output_field = JSONField()

    def __init__(self, column: Combinable, current: Current) -> None:
        super().__init__(column)
        self._current = current

    # Any below: what a template of Func would use

    def as_postgresql(
        self, compiler: SQLCompiler, *_args: Any, **_context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        column, params = compiler.compile(self.get_source_expressions()[0])
        return f"({column} || %s::jsonb)", (*params, json.dumps(self._current))

    def as_sqlite(self, compiler: SQLCompiler, *_args: Any, **_context: Any) -> tuple[str, tuple[Any, ...]]:
        sql, params = compiler.compile(self.get_source_expressions()[0])
        pairs = [part for key, value in self._current.items() for part in (f'$."{key}"', json.dumps(value))]
        return f"JSON_SET({sql}{', %s, JSON(%s)' * len(self._current)})", (*params, *pairs)


def from_history(entry_ids: Iterable[int]) -> dict[int, Current]:
    """Return what the history says the values of entries are, by entry id, in one query."""
    ids = list(entry_ids)
    latest = AttributeValue.objects.active().filter(
        parent_entry__in=ids, is_latest=True, parent_attr__is_active=True
    )
    rows = latest.order_by("references__ordinal").values_list(
        "parent_entry_id",
        "parent_attr__schema_id",
        "parent_attr__schema__type",
        "value",
        "references__id",
        "references__name",
        Coalesce("references__entry_id", "references__group_id", "references__role_id"),
    )
    values: dict[int, dict[tuple[int, int], Any]] = {pk: {} for pk in ids}
    for entry_id, attr_id, attr_type, value, link_id, name, target_id in rows:
        of_entry, key = values[entry_id], (attr_id, attr_type)
        if AttrType(attr_type).is_reference:
            links = of_entry.setdefault(key, [])
            if link_id is not None:
                links.append(Link(name=name, target_id=target_id))
        else:
            of_entry[key] = from_storage(AttrType(attr_type), value).elements
    return {
        pk: {
            str(key[0]): to_current(AttrType(key[1]), Value(tuple(found))) for key, found in of_entry.items()
        }
        for pk, of_entry in values.items()
    }

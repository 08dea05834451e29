"""Current values in the entry's own row; their versions, the history, are `pagoda.domain.entry.versions`'s.

The row has ``{attribute's id: value}`` as JSON. A plain value is itself; a reference is the
target's id, a named one ``{"name", "id"}``; the id is null without a target. What is not set is null or
missing. The history is what holds: a row without current values is read from there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.db import connection
from django.db.models import BooleanField, F, Func
from django.utils import timezone

from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.lookups import ThingKind, kind_of
from pagoda.domain.entry.models import Entry
from pagoda.domain.stamped import insert_rows
from pagoda.domain.user.models import Level, User
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.scalar_types import Scalar
from pagoda_plugin_sdk.rules.state import Definition, Link, LinkTarget, Value
from pagoda_plugin_sdk.rules.value_types import from_storage

if TYPE_CHECKING:
    from django.db.models.sql.compiler import SQLCompiler

type Current = dict[str, Any]  # Any: JSON of the attribute's type


def add_entries(
    schema: Entity, maker: User | None, texts: Sequence[tuple[str, str]], currents: Sequence[Current]
) -> list[Entry]:
    """Store and return many new entries of one entity, by name and note; ``post_save`` is not sent."""
    now, own = timezone.now(), ("name", "note", Entry.UNSAVED)
    alike = {
        "schema": schema.pk,
        "created_user": maker and maker.pk,
        "created_time": now,
        "updated_time": now,
        "is_active": True,
        "default_permission": Level.FULL,
    }
    rows = [(*each, json.dumps(current)) for each, current in zip(texts, currents, strict=True)]
    ids = insert_rows(Entry, alike, own, rows)
    # As they would be read: Django looks for defaults where it is given names, which takes twice as long.
    fields = [each for each in Entry._meta.concrete_fields if each.name != Entry.UNSAVED]
    names = [each.attname for each in fields]
    entries, alias = [], connection.alias
    for pk, (name, note) in zip(ids, texts, strict=True):
        values = alike | {"id": pk, "name": name, "note": note}
        entry = Entry.from_db(alias, names, [values[each.name] for each in fields])
        entry.schema, entry.created_user = schema, maker
        entries.append(entry)
    return entries


_UNKNOWN: Final = LinkTarget(id=0, name="", is_active=False)
"""What stands for a target that the database does not show to this account: kept, and shown to nobody."""


def to_current(attr_type: AttrType, value: Value) -> Any:  # Any: JSON
    """Return the JSON of a value."""
    elements = [_link_json(attr_type, each) if isinstance(each, Link) else each for each in value.elements]
    if attr_type.is_array:
        return elements or None
    return elements[0] if elements else None


def _link_json(attr_type: AttrType, link: Link) -> Any:
    return {"name": link.name, "id": link.target_id} if AttrType.NAMED in attr_type else link.target_id


def current_of(definitions: Iterable[Definition], values: Mapping[int, Value]) -> Current:
    """Return the JSON of the values, by definition id, of some attributes."""
    return {str(each.id): to_current(each.type, values[each.id]) for each in definitions if each.id in values}


def links_in(definitions: Iterable[Definition], current: Current) -> Iterator[tuple[ThingKind, int]]:
    """Yield what the references in some values point to."""
    for each in definitions:
        if each.type.is_reference:
            for _name, target_id in _links(each.type, current.get(str(each.id))):
                if target_id is not None:
                    yield kind_of(each.type), target_id


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
            links = [
                Link(
                    name=name, target_id=pk, target=None if pk is None else targets.get((kind, pk), _UNKNOWN)
                )
                for name, pk in _links(each.type, stored)
            ]
            values[each.id] = Value(tuple(links))
        else:
            values[each.id] = from_storage(each.type, stored)
    return values


def _links(attr_type: AttrType, stored: Any) -> Iterator[tuple[str, int | None]]:
    """Yield name and target's id of each reference in a value as it is stored."""
    for element in stored or () if attr_type.is_array else () if stored is None else (stored,):
        yield (element["name"], element["id"]) if isinstance(element, dict) else ("", element)


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

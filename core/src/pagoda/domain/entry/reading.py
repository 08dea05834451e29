"""Attributes of entries: read out of their rows, given in the forms that callers get."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import batched
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from django.db.models import BigIntegerField, F, Max, QuerySet
from django.db.models import Value as Constant
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.db.models.query import ModelIterable

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.lookups import Lookups, Named, Wanted, guessed, level_on
from pagoda.domain.entry.models import AttributeValue, Entry
from pagoda.domain.entry.storing import Current, links_in, to_current, values_in
from pagoda.domain.user.models import Level, User
from pagoda.domain.user.permissions import Viewer, fixed_level, level_of
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.state import Definition, EntryState, Link, OwnFields, Schema, Value
from pagoda_plugin_sdk.rules.text import spellings
from pagoda_plugin_sdk.rules.value_types import attrs_of

_BATCH_SIZE: Final = 5_000  # SQLite takes 32,766 parameters in a query


class _Row(NamedTuple):
    """What reading takes from the row of an entry, and of its entity."""

    entity: int
    version: int  # of the entity's attributes
    current: Current | None
    level: int | None = None  # what the viewer may do with the entry, where it was asked for
    own: tuple[str, str, bool] | None = None  # name, note, whether it is active; None: it is not stored


def with_values(
    entries: QuerySet[Entry], viewer: Viewer | None = None, *, for_update: bool = False
) -> QuerySet[Entry]:
    """Have the entries bring along what the next read of their values, or update by `viewer`, needs.

    They come with their entity and their maker, one object of each for all of them.
    """
    entries = _with_row(entries.select_related(None), viewer, for_update=for_update).annotate(**_RELATED)
    entries._iterable_class = _Related  # noqa: SLF001 - goes with the clones
    return entries


def _with_row(entries: QuerySet[Entry], viewer: Viewer | None, *, for_update: bool) -> QuerySet[Entry]:
    columns: dict[str, Any] = {"row_version": F("schema__attrs_version"), "row_current": F("current_values")}
    if for_update:
        columns |= {"row_level": level_on(viewer, "entry", "schema__"), "row_viewer": _viewer(viewer)}
    return entries.annotate(**columns)


_ENTITY_FIELDS: Final = ("is_active", "name", "default_permission", "owner_id")  # in the order of the model
_RELATED: Final = {f"row_entity_{name}": F(f"schema__{name}") for name in _ENTITY_FIELDS} | {
    "row_username": F("created_user__username")
}


class _Related(ModelIterable):  # type: ignore[type-arg]  # generic in the stubs alone
    """Entries with what they are shown with: `select_related()` makes each a wide object for every entry.

    What else there is of an entity or a user is loaded when it is asked for, once for all.
    """

    def __iter__(self) -> Iterator[Entry]:
        entities: dict[int, Entity] = {}
        makers: dict[int, User] = {}
        database = self.queryset.db
        for entry in super().__iter__():
            row = vars(entry)
            values = [row.pop(f"row_entity_{name}") for name in _ENTITY_FIELDS]
            username = row.pop("row_username")
            key = entry.schema_id
            if key not in entities:
                entities[key] = Entity.from_db(database, ["id", *_ENTITY_FIELDS], [key, *values])
            related = entry._state.fields_cache  # as `select_related()` does: nothing is assigned
            related["schema"] = entities[key]
            if (maker := entry.created_user_id) is not None:
                if maker not in makers:
                    makers[maker] = User.from_db(database, ["id", "username"], [maker, username])
                related["created_user"] = makers[maker]
            yield entry


def with_version(entities: QuerySet[Entity], viewer: Viewer | None) -> QuerySet[Entity]:
    """Have the entities bring along what the next making of an entry by `viewer` needs."""
    columns = {"row_level": level_of(viewer, "entity"), "row_viewer": _viewer(viewer)}
    return entities.annotate(row_version=F("attrs_version"), **columns)


def _viewer(viewer: Viewer | None) -> Combinable:
    """Return whose level a row brings: nobody else's rights are decided by it."""
    return Constant(viewer.pk if isinstance(viewer, User) else None, output_field=BigIntegerField())


def read_states(entries: Sequence[Entry], viewer: Viewer | None = None) -> dict[int, EntryState]:
    """Return the attributes of each entry by its id; without viewer as the host sees them.

    For up to 5,000 entries one query for their rows, unless they came `with_values`, and one for levels and
    targets of references where there are any; none for none. Further ones for attributes that this process
    has not read yet, and for rows without current values.
    """
    states: dict[int, EntryState] = {}
    for batch in batched(entries, _BATCH_SIZE):
        states |= _states(_rows(batch, viewer), Lookups(viewer), viewer)
    return states


def read_state(entry: Entry) -> EntryState:
    """Return the attributes of one entry as the host sees them."""
    return read_states([entry])[entry.pk]


def read_for_update(
    entries: Sequence[Entry], viewer: Viewer | None, lookups: Lookups, given: Iterable[object]
) -> dict[int, EntryState]:
    """Return the attributes of entries by their ids, and their own fields as far as they are still stored.

    Queries are those of `read_states`; what the `given` values point to is looked up with the others.
    """
    rows = _rows(entries, viewer, for_update=True)
    return {pk: _owned(state, rows[pk]) for pk, state in _states(rows, lookups, viewer, given).items()}


def _owned(state: EntryState, row: _Row) -> EntryState:
    if row.own is None:
        return state
    name, note, is_active = row.own
    level = Level(row.level or Level.NOTHING)
    return replace(state, entry=OwnFields(name=name, note=note, is_active=is_active, level=level))


def read_schema(
    entity: Entity, viewer: Viewer | None, lookups: Lookups, given: Sequence[Mapping[str, Any]]
) -> Schema:
    """Return an entity as it is stored now, with its attributes in their order.

    One query, unless it came `with_version`; what the ``attrs`` of the `given` entries point to, and the name
    of a single one, are looked up with the levels on the attributes.
    """
    version, level = _brought(entity, viewer)
    is_active = entity.is_active
    if version is None or level is None:
        stored = with_version(Entity.objects.filter(pk=entity.pk), viewer).first()
        is_active = stored is not None and stored.is_active
        row = {} if stored is None else vars(stored)
        version, level = row.get("row_version", 0), row.get("row_level", Level.NOTHING)
    definitions = definitions_of({entity.pk: version})
    has_references = any(each.type.is_reference for each in definitions[entity.pk])
    rows = given if has_references else ()
    wanted = {each for row in rows for each in guessed(definitions[entity.pk], row.get("attrs"))}
    names = spellings([given[0].get("name")]) if len(given) == 1 else ()
    seen = _seen(definitions, lookups, viewer, wanted, (entity.pk, names) if names else None)
    return Schema(is_active=is_active, level=Level(level), definitions=seen[entity.pk])


def read_attrs(
    entries: Sequence[Entry], viewer: Viewer | None = None
) -> dict[int, dict[str, Any]]:  # Any: values of every type
    """Return ``{entry id: {attribute name: value}}`` in Python; queries are those of `read_states`."""
    return {pk: attrs_of(state) for pk, state in read_states(entries, viewer).items()}


def _rows(entries: Sequence[Entry], viewer: Viewer | None, *, for_update: bool = False) -> dict[int, _Row]:
    """Return what is stored of each entry, by its id; of one that is not stored what its entity has."""
    rows: dict[int, _Row] = {}
    for entry in entries:
        current = vars(entry).pop("row_current", None)
        version, level = _brought(entry, viewer)
        if version is not None and not (for_update and level is None):
            own = (entry.name, entry.note, entry.is_active)
            rows[entry.pk] = _Row(entry.schema_id, version, current, level, own)
    missing = [entry for entry in entries if entry.pk not in rows]
    if missing:
        stored = _with_row(
            Entry.objects.filter(pk__in=[entry.pk for entry in missing]), viewer, for_update=for_update
        )
        columns = ["pk", "schema_id", "row_version", "row_current", "row_level" if for_update else "pk"]
        for pk, entity, version, current, level, *own in stored.order_by().values_list(
            *columns, "name", "note", "is_active"
        ):
            rows[pk] = _Row(entity, version, current, level, (own[0], own[1], own[2]))
    gone = {entry.schema_id for entry in missing if entry.pk not in rows}
    if gone:
        versions = dict(Entity.objects.filter(pk__in=gone).values_list("pk", "attrs_version"))
        for entry in missing:
            rows.setdefault(entry.pk, _Row(entry.schema_id, versions.get(entry.schema_id, 0), {}))
    return rows


def _brought(held: Entry | Entity, viewer: Viewer | None) -> tuple[int | None, int | None]:
    """Take the version that an object was read with, and the level of `viewer`; the next one asks anew."""
    version, level, whose = (vars(held).pop(f"row_{name}", None) for name in ("version", "level", "viewer"))
    is_theirs = isinstance(viewer, User) and whose is not None and whose == viewer.pk
    return version, level if is_theirs else None


def _states(
    rows: Mapping[int, _Row], lookups: Lookups, viewer: Viewer | None, given: Iterable[object] = ()
) -> dict[int, EntryState]:
    definitions = definitions_of({row.entity: row.version for row in rows.values()})
    late = [pk for pk, row in rows.items() if (row.entity, row.version) not in _kept]
    if late:
        rows = {**rows, **_read_again(rows, late)}
        definitions = definitions_of({row.entity: row.version for row in rows.values()})
    unconverted = [pk for pk, row in rows.items() if row.current is None]
    history = from_history(unconverted) if unconverted else {}
    current = {pk: history[pk] if row.current is None else row.current for pk, row in rows.items()}
    wanted = {link for pk, row in rows.items() for link in links_in(definitions[row.entity], current[pk])}
    wanted |= {
        link for of_entry in given for each in definitions.values() for link in guessed(each, of_entry)
    }
    seen = _seen(definitions, lookups, viewer, wanted)
    return {
        pk: EntryState(
            definitions=seen[row.entity],
            values=values_in(seen[row.entity], current[pk], lookups.found),
            viewer=viewer,
        )
        for pk, row in rows.items()
    }


def _read_again(rows: Mapping[int, _Row], late: Sequence[int]) -> dict[int, _Row]:
    """Return rows whose attributes are newer than they are: one may have got another type in between."""
    stored = Entry.objects.filter(pk__in=late).order_by()
    found = stored.values_list("pk", "schema__attrs_version", "current_values")
    return {pk: rows[pk]._replace(version=version, current=current) for pk, version, current in found}


def _seen(
    definitions: Mapping[int, Definitions],
    lookups: Lookups,
    viewer: Viewer | None,
    wanted: Wanted,
    named: Named | None = None,
) -> Mapping[int, Definitions]:
    """Return the attributes by entity as `viewer` sees them; look up their levels and what is wanted."""
    level = fixed_level(viewer)
    limited = [pk for pk, each in definitions.items() if each] if level is None else []
    lookups.look_up(wanted, levels_of=limited, named=named)
    if level == Level.FULL:
        return definitions
    return {pk: for_viewer(each, lookups.levels) for pk, each in definitions.items()}


type Definitions = tuple[Definition, ...]  # in the entity's order

_MOST_KEPT: Final = 2_000

# A version is a random number that no other state of any attribute ever had, in a transaction that was undone
# neither: what is kept by it can't become wrong.
_kept: dict[tuple[int, int], Definitions] = {}


def definitions_of(versions: Mapping[int, int]) -> dict[int, Definitions]:
    """Return the attributes of entities, ``{entity id: version}``, as the host sees them.

    No query when all were read before in this process, one otherwise.
    """
    found = {key[0]: _kept[key] for key in versions.items() if key in _kept}
    missing = [entity_id for entity_id in versions if entity_id not in found]
    return found | _read(missing, versions) if missing else found


def for_viewer(definitions: Definitions, levels: Mapping[int, int]) -> Definitions:
    """Return the attributes as somebody sees them who has these levels, by attribute id."""
    return tuple(replace(each, level=Level(levels.get(each.id, Level.NOTHING))) for each in definitions)


def _read(entity_ids: list[int], versions: Mapping[int, int]) -> dict[int, Definitions]:
    # The version comes with the attributes: they may be newer than the entity's row that was read before.
    attrs = EntityAttr.objects.active().filter(parent_entity__in=entity_ids)
    by_entity: defaultdict[tuple[int, int], list[Definition]] = defaultdict(list)
    for attr in attrs.order_by("index", "pk").annotate(version=F("parent_entity__attrs_version")):
        by_entity[attr.parent_entity_id, vars(attr)["version"]].append(definition_of(attr))
    found = {key[0]: tuple(definitions) for key, definitions in by_entity.items()}
    if len(_kept) > _MOST_KEPT:
        _kept.clear()
    _kept.update({key: found[key[0]] for key in by_entity})
    _kept.update({(each, versions[each]): () for each in entity_ids if each not in found})
    return {each: found.get(each, ()) for each in entity_ids}


def definition_of(attr: EntityAttr) -> Definition:
    """Return an attribute as the host sees it."""
    return Definition(
        id=attr.pk,
        entity_id=attr.parent_entity_id,
        name=attr.name,
        type=AttrType(attr.type),
        is_mandatory=attr.is_mandatory,
        index=attr.index,
        default_value=attr.default_value,
        choices=tuple(attr.choices),
        level=Level.FULL,
        is_open=attr.default_permission >= Level.READABLE,
    )


def from_history(
    entry_ids: Iterable[int],
    at: datetime | None = None,
    types: Mapping[int, AttrType] = MappingProxyType({}),
) -> dict[int, Current]:
    """Return what the history says the values of entries are, or were `at` a time, by id, in one query.

    `types` are those that attributes had then, where they may have been others than now: a value of another
    type, as clocks differ, is left out.
    """
    ids = list(entry_ids)
    versions = AttributeValue.objects.active().filter(parent_entry__in=ids, parent_attr__is_active=True)
    if at is None:
        latest = versions.filter(is_latest=True)
    else:
        by_then = versions.filter(created_time__lte=at).order_by().values("parent_attr")
        latest = versions.filter(pk__in=by_then.annotate(last=Max("pk")).values("last"))
    rows = latest.order_by("references__ordinal").values_list(
        "parent_entry_id",
        "parent_attr__schema_id",
        Coalesce("former_type", "parent_attr__schema__type"),
        "value",
        "references__id",
        "references__name",
        Coalesce("references__entry_id", "references__group_id", "references__role_id"),
    )
    values: dict[int, dict[tuple[int, AttrType], Any]] = {pk: {} for pk in ids}
    for entry_id, attr_id, attr_type, value, link_id, name, target_id in rows:
        of_entry, key = values[entry_id], (attr_id, AttrType(attr_type))
        if types.get(attr_id, key[1]) != key[1]:
            continue
        if key[1].is_reference:
            links = of_entry.setdefault(key, [])
            if link_id is not None:
                links.append(Link(name=name, target_id=target_id))
        else:
            of_entry[key] = value
    return {
        pk: {
            str(attr_id): to_current(attr_type, Value(tuple(found))) if attr_type.is_reference else found
            for (attr_id, attr_type), found in of_entry.items()
        }
        for pk, of_entry in values.items()
    }

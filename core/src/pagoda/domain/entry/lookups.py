"""What references point to, and what else a request asks the database beside rows: together in one query."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from enum import IntEnum
from itertools import batched
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.contrib.auth.models import Group
from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    CharField,
    F,
    Func,
    IntegerField,
    Q,
    QuerySet,
    TextField,
    When,
)
from django.db.models import Value as Constant
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Least

from pagoda.domain.entity.models import EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level, Role
from pagoda.domain.user.permissions import Kind as RightKind
from pagoda.domain.user.permissions import Viewer, fixed_level, level_of, may, may_see
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.incoming import Targets
from pagoda_plugin_sdk.rules.scalar_types import ValueFault
from pagoda_plugin_sdk.rules.state import Definition, LinkTarget, Value
from pagoda_plugin_sdk.rules.text import by_clean_name, clean_name, spellings
from pagoda_plugin_sdk.rules.value_types import parse

if TYPE_CHECKING:
    from django.db.models.sql.compiler import SQLCompiler

type Rows = QuerySet[Any, tuple[Any, ...]]  # Any: rows come of several models

BATCH_SIZE: Final = 300  # ids of one query: SQLite takes 999 parameters

# Typed, as PostgreSQL takes two untyped nulls for text before it sees the numbers of a third query.
_NO_ID: Final = Cast(Constant(None), BigIntegerField())
_NO_NAME: Final = Cast(Constant(None), TextField())
_TRUE: Final = Constant(value=True, output_field=BooleanField())


class ThingKind(IntEnum):
    """What a row is about."""

    ENTRY = 1
    GROUP = 2
    ROLE = 3
    REFERRAL = 4  # an entity that an attribute may point to
    ATTR = 5
    NAME = 6  # an active entry, found by its name


class Found(NamedTuple):
    """What is found of one thing."""

    kind: int
    id: int  # of a referral the attribute's
    name: str
    level: int | None  # attr: what the viewer may do with it
    schema: int | None  # of an entry; of a referral the entity's id
    schema_name: str | None
    is_active: bool
    is_visible: bool  # whether the viewer may read it
    is_target: bool  # whether the viewer may have an attribute point to it


type Wanted = Collection[tuple[ThingKind, int]]
type Named = tuple[int, Collection[str]]  # an entity's id, and spellings of names that its entries may have


def kind_of(attr_type: AttrType) -> ThingKind:
    """Return what references of a type point to."""
    return _KINDS[attr_type.element]


_KINDS: Final = {  # asked for every reference of a page: operators of flags take ten times as long
    AttrType.OBJECT: ThingKind.ENTRY,
    AttrType.OBJECT | AttrType.NAMED: ThingKind.ENTRY,
    AttrType.GROUP: ThingKind.GROUP,
    AttrType.ROLE: ThingKind.ROLE,
}


def find(
    wanted: Wanted,
    viewer: Viewer | None,
    *,
    levels_of: Collection[int] = (),
    named: Named | None = None,
) -> Iterator[Found]:
    """Yield what there is of these things, the level on each attribute of some entities, and entries by name.

    One query for up to 300 things, none for none.
    """
    others = [_levels(levels_of, viewer)] if levels_of else []
    others += [_columns(_named(*named), ThingKind.NAME)] if named else []
    for batch in [*batched(sorted(wanted), BATCH_SIZE)] or ([()] if others else []):
        ids: defaultdict[ThingKind, list[int]] = defaultdict(list)
        for kind, wanted_id in batch:
            ids[kind].append(wanted_id)
        first, *more = [_query(kind, of_kind, viewer) for kind, of_kind in ids.items()] + others
        yield from map(Found._make, first.union(*more, all=True) if more else first)
        others = []


def level_on(viewer: Viewer | None, kind: RightKind, to_entity: str) -> Combinable:
    """Return the expression of the level on a thing that is no higher than the one on its entity."""
    return Least(level_of(viewer, kind), level_of(viewer, "entity", to_entity), output_field=IntegerField())


def _levels(entity_ids: Collection[int], viewer: Viewer | None) -> Rows:
    attrs = EntityAttr.objects.active().filter(parent_entity__in=entity_ids)
    return _columns(attrs, ThingKind.ATTR, level=level_on(viewer, "attr", "parent_entity__"))


def _named(entity_id: int, names: Collection[str]) -> QuerySet[Entry]:
    return Entry.objects.filter(IsOneOf("name", names), is_active=True, schema=entity_id).order_by()


def _query(kind: ThingKind, ids: Collection[int], viewer: Viewer | None) -> Rows:
    match kind:
        case ThingKind.ENTRY:
            readable = Q()
            if viewer is not None and fixed_level(viewer) != Level.FULL:
                readable = may(viewer, Level.READABLE, "entry") & may(
                    viewer, Level.READABLE, "entity", "schema__"
                )
            return _columns(
                Entry.objects.filter(IsOneOf("pk", ids)),
                kind,
                schema=F("schema_id"),
                schema_name=F("schema__name"),
                is_active=F("is_active"),
                is_visible=_case(readable),
            )
        case ThingKind.GROUP:  # groups and roles are no secret where an attribute points to them
            seen = may_see(viewer, Group) if viewer else Q()
            return _columns(Group.objects.filter(pk__in=ids), kind, is_target=_case(seen))
        case ThingKind.ROLE:
            seen = may_see(viewer, Role) if viewer else Q()
            roles = Role.objects.filter(pk__in=ids)
            return _columns(roles, kind, is_active=F("is_active"), is_target=_case(seen))
        case _:
            seen = may(viewer, Level.READABLE, "entity", "referral__") if viewer else Q()
            allowed = EntityAttr.objects.filter(pk__in=ids, referral__isnull=False)
            return _columns(
                allowed, kind, name=F("referral__name"), schema=F("referral__pk"), is_visible=_case(seen)
            )


def _columns(
    queryset: QuerySet[Any],  # Any: each of four models
    kind: ThingKind,
    *,
    name: Combinable = F("name"),
    level: Combinable = _NO_ID,
    schema: Combinable = _NO_ID,
    schema_name: Combinable = _NO_NAME,
    is_active: Combinable = _TRUE,
    is_visible: Combinable = _TRUE,
    is_target: Combinable = _TRUE,
) -> Rows:
    # The prefix keeps the columns apart from the models' fields.
    annotations: dict[str, Combinable] = {
        "row_kind": Constant(int(kind), output_field=IntegerField()),
        "row_id": F("pk"),
        "row_name": name,
        "row_level": level,
        "row_schema": schema,
        "row_schema_name": schema_name,
        "row_is_active": is_active,
        "row_is_visible": is_visible,
        "row_is_target": is_target,
    }
    rows: Rows = queryset.order_by().annotate(**annotations).values_list(*annotations)
    return rows


def _case(condition: Q) -> Combinable:
    if not condition:
        return _TRUE
    return Case(When(condition, then=True), default=False, output_field=BooleanField())


class Lookups:
    """What is known of the targets of references, as somebody may see them; None: the host."""

    def __init__(self, viewer: Viewer | None) -> None:
        self._viewer = viewer
        self._asked: set[tuple[ThingKind, int]] = set()
        self._choice: dict[tuple[str, int], LinkTarget] = {}
        self._allowed: defaultdict[int, dict[int, str]] = defaultdict(dict)  # attribute -> {entity: name}
        self.found: dict[tuple[ThingKind, int], LinkTarget] = {}
        self._targets = Targets(self._choice, self._allowed)  # those that a writer may choose
        self.levels: dict[int, int] = {}  # of attributes
        self._names: set[str] = set()
        self.taken: defaultdict[str, set[int]] = defaultdict(set)  # clean name -> entries that have it

    def look_up(self, wanted: Wanted, *, levels_of: Collection[int] = (), named: Named | None = None) -> None:
        """Get to know these, the levels on the attributes of entities, and which names entries of one have.

        No query for what is known.
        """
        new = set(wanted) - self._asked
        self._asked |= new
        if named is not None:
            self._names |= set(named[1])
        if named is not None and not new and not levels_of:  # of most writes: no union of many columns
            for pk, name in _named(*named).values_list("pk", "name"):
                self.taken[clean_name(name)].add(pk)
            return
        for row in find(new, self._viewer, levels_of=levels_of, named=named):
            kind = ThingKind(row.kind)
            if kind is ThingKind.ATTR:
                self.levels[row.id] = row.level or 0
            elif kind is ThingKind.NAME:
                self.taken[clean_name(row.name)].add(row.id)
            elif kind is ThingKind.REFERRAL:
                self._allowed[row.id][row.schema or 0] = row.name if row.is_visible else ""
            else:
                self.found[kind, row.id] = target = _target(row)
                if row.is_active and row.is_visible and row.is_target:
                    self._choice[kind.name.lower(), row.id] = target

    def targets_of(
        self, values: Iterable[tuple[Definition, Value]], *, named: Named | None = None
    ) -> Targets:
        """Return what values may point to, and get to know which of some names entries of an entity have."""
        self.look_up(_wanted_by(values))
        entity_id, names = named or (0, ())
        new = set(names) - self._names
        if new:
            self.look_up((), named=(entity_id, spellings(new)))
        return self._targets


def _wanted_by(values: Iterable[tuple[Definition, Value]]) -> set[tuple[ThingKind, int]]:
    """Return what has to be looked up to resolve the links in values."""
    wanted: set[tuple[ThingKind, int]] = set()
    for definition, value in values:
        if not definition.type.is_reference:
            continue
        ids = [link.target_id for link in value.links if link.target_id is not None and link.target is None]
        wanted.update((kind_of(definition.type), target_id) for target_id in ids)
        if ids and definition.type & AttrType.OBJECT:
            wanted.add((ThingKind.REFERRAL, definition.id))
    return wanted


def reference_keys(definitions: Iterable[Definition]) -> dict[str | int, Definition]:
    """Return the attributes that refer to something by clean name and by id."""
    references = [each for each in definitions if each.type.is_reference]
    if not references:
        return {}
    by_id: dict[str | int, Definition] = {each.id: each for each in references}
    return by_id | by_clean_name([(each.name, each) for each in references])


def guessed(definitions: Iterable[Definition], given: object) -> set[tuple[ThingKind, int]]:
    """Return what values as they were sent (`GivenAttrs`, unchecked) point to, as far as that can be told."""
    by_key = reference_keys(definitions)
    items: Iterable[tuple[object, object]] = ()
    if by_key and isinstance(given, Mapping):
        items = given.items()
    elif by_key and isinstance(given, list | tuple):
        items = [(x.get("id", x.get("name")), x.get("value")) for x in given if isinstance(x, Mapping)]
    wanted: set[tuple[ThingKind, int]] = set()
    for key, raw in items:
        definition = by_key.get(clean_name(key)) if isinstance(key, str | int) else None
        if definition is not None:
            with suppress(ValueFault):  # told where it is read
                wanted |= _wanted_by([(definition, parse(definition, raw))])
    return wanted


def _target(row: Found) -> LinkTarget:
    return LinkTarget(
        id=row.id,
        name=row.name,
        schema_id=row.schema,
        schema_name=row.schema_name,
        is_active=bool(row.is_active),
        is_visible=bool(row.is_visible),
    )


class IsOneOf(Func):
    """Whether a column of texts, or of ids, has one of some values.

    Django's ``__in`` writes a parameter for each: SQLite takes few, and PostgreSQL reads a thousand of them
    as long as it looks for the rows. Any below: what a template of Func would use.
    """

    output_field = BooleanField()

    def __init__(self, column: str, values: Collection[str] | Collection[int]) -> None:
        super().__init__(F(column))
        self._values: list[Any] = list(values)

    def as_postgresql(
        self, compiler: SQLCompiler, *_args: Any, **_context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the SQL."""
        column, params = compiler.compile(self.get_source_expressions()[0])
        array = "text[]" if self._kind() is str else "bigint[]"
        return f"({column} = ANY(%s::{array}))", (*params, self._given())

    def as_sqlite(self, compiler: SQLCompiler, *_args: Any, **_context: Any) -> tuple[str, tuple[Any, ...]]:
        """Return the SQL."""
        column, params = compiler.compile(self.get_source_expressions()[0])
        sql = f"({column} IN (SELECT value FROM JSON_EACH(%s)))"  # noqa: S608 - a column
        return sql, (*params, json.dumps(self._given()))

    def _kind(self) -> type[str] | type[int]:
        column = self.get_source_expressions()[0].output_field
        return str if isinstance(column, CharField | TextField) else int

    def _given(self) -> list[Any]:
        """Return the values as the column has them: no database may find 1 where another does not."""
        return [*map(self._kind(), self._values)]

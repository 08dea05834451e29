"""What references point to: looked up, and held against what the attributes allow, in one query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from enum import IntEnum
from itertools import batched
from typing import Any, Final, NamedTuple

from django.contrib.auth.models import Group
from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    F,
    IntegerField,
    Q,
    QuerySet,
    TextField,
    When,
)
from django.db.models import Value as Constant
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast

from pagoda.domain.entity.models import EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.rows import Rows
from pagoda.domain.user.models import Level, Role
from pagoda.domain.user.permissions import Viewer, may, may_see
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.incoming import Targets, noun_of
from pagoda_plugin_sdk.rules.state import Definition, LinkTarget, Value

_BATCH_SIZE: Final = 300  # ids of one query: SQLite takes 999 parameters


# Typed, as PostgreSQL takes two untyped nulls for text before it sees the numbers of a third query.
_NO_ID: Final = Cast(Constant(None), BigIntegerField())
_NO_NAME: Final = Cast(Constant(None), TextField())


class _Kind(IntEnum):
    """What a row of the look-up is about."""

    ENTRY = 1
    GROUP = 2
    ROLE = 3
    REFERRAL = 4  # an entity that an attribute may point to


class _Row(NamedTuple):
    kind: int
    id: int  # referral: the attribute's
    name: str
    schema: int | None  # of an entry; referral: the entity's id
    schema_name: str | None
    is_visible: bool


def look_up(values: Iterable[tuple[Definition, Value]], viewer: Viewer | None) -> Targets:
    """Return the targets of the links in `values`: no query without links, one for up to 300 of them."""
    wanted: set[tuple[_Kind, int]] = set()
    for definition, value in values:
        ids = [link.target_id for link in value.links if link.target_id is not None and link.target is None]
        kind = _Kind[noun_of(definition.type).upper()]
        wanted.update((kind, target_id) for target_id in ids)
        if ids and definition.type & AttrType.OBJECT:
            wanted.add((_Kind.REFERRAL, definition.id))
    found: dict[tuple[str, int], LinkTarget] = {}
    allowed: defaultdict[int, dict[int, str]] = defaultdict(dict)
    for row in _rows(sorted(wanted), viewer):
        if row.kind == _Kind.REFERRAL:
            allowed[row.id][row.schema or 0] = row.name if row.is_visible else ""
        else:
            found[_Kind(row.kind).name.lower(), row.id] = _target(row)
    return Targets(found, allowed)


def _rows(wanted: Collection[tuple[_Kind, int]], viewer: Viewer | None) -> Iterator[_Row]:
    for batch in batched(wanted, _BATCH_SIZE):
        ids: defaultdict[_Kind, list[int]] = defaultdict(list)
        for kind, wanted_id in batch:
            ids[kind].append(wanted_id)
        first, *others = [_query(kind, of_kind, viewer) for kind, of_kind in ids.items()]
        yield from map(_Row._make, first.union(*others, all=True) if others else first)


def _query(kind: _Kind, ids: Collection[int], viewer: Viewer | None) -> Rows:
    match kind:
        case _Kind.ENTRY:
            entries = Entry.objects.active().filter(pk__in=ids)
            return _columns(
                entries,
                kind,
                schema=F("schema_id"),
                schema_name=F("schema__name"),
                is_visible=_visibility(viewer),
            )
        case _Kind.GROUP:
            groups = Group.objects.filter(pk__in=ids)
            return _columns(groups, kind, is_visible=_case(may_see(viewer, Group) if viewer else Q()))
        case _Kind.ROLE:
            roles = Role.objects.filter(pk__in=ids, is_active=True)
            return _columns(roles, kind, is_visible=_case(may_see(viewer, Role) if viewer else Q()))
        case _Kind.REFERRAL:
            allowed = EntityAttr.objects.filter(pk__in=ids, referral__isnull=False)
            return _columns(
                allowed,
                kind,
                name=F("referral__name"),
                schema=F("referral__pk"),
                is_visible=_case(may(viewer, Level.READABLE, "entity", "referral__") if viewer else Q()),
            )


def _columns(
    queryset: QuerySet[Any],  # Any: each of four models
    kind: _Kind,
    *,
    name: Combinable = F("name"),
    schema: Combinable = _NO_ID,
    schema_name: Combinable = _NO_NAME,
    is_visible: Combinable = Constant(value=True),
) -> Rows:
    # The prefix keeps the columns apart from the models' fields.
    annotations: dict[str, Combinable] = {
        "row_kind": Constant(int(kind), output_field=IntegerField()),
        "row_id": F("pk"),
        "row_name": name,
        "row_schema": schema,
        "row_schema_name": schema_name,
        "row_is_visible": is_visible,
    }
    rows: Rows = queryset.order_by().annotate(**annotations).values_list(*annotations)
    return rows


def _visibility(viewer: Viewer | None) -> Combinable:
    if viewer is None:
        return _case(Q())
    return _case(may(viewer, Level.READABLE, "entry") & may(viewer, Level.READABLE, "entity", "schema__"))


def _case(condition: Q) -> Combinable:
    if not condition:
        return Constant(value=True)
    return Case(When(condition, then=True), default=False, output_field=BooleanField())


def _target(row: _Row) -> LinkTarget:
    return LinkTarget(
        id=row.id,
        name=row.name,
        schema_id=row.schema,
        schema_name=row.schema_name,
        is_visible=bool(row.is_visible),
    )

"""What references point to: found first, so that an index finds who refers to it by the current values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Final

from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import BooleanField, F, Func, Q, QuerySet

from pagoda.domain.access.querysets import readable
from pagoda.domain.entity.models import EntityAttr
from pagoda.domain.entry.lookups import IsOneOf
from pagoda.domain.entry.models import AttributeReference, Entry
from pagoda.domain.search.conditions import Test
from pagoda.domain.search.filters import composed, is_id, read_operand, with_operator, wrong
from pagoda.domain.search.values import Compared, ValueKind, read_values
from pagoda.domain.user.models import Level, Role
from pagoda.domain.user.permissions import Viewer, may
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.scalar_types import MAX_INTEGER, ValueFault
from pagoda_plugin_sdk.rules.text import spellings

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler

_FEW: Final = 200  # PostgreSQL's planner looks at its statistics for each


def seen_entries(user: Viewer | None) -> QuerySet[Entry]:
    """Return the entries that `user` is shown where something refers to them; None: the host, all."""
    entries = Entry.objects.active().order_by()
    return entries if user is None else readable(entries, user)


def targets_of(attr_type: AttrType, user: Viewer | None) -> QuerySet[Any]:
    """Return what references of a type can point to, as far as `user` is shown it; Any: their model."""
    if attr_type & AttrType.OBJECT:
        return seen_entries(user)
    return (
        Group.objects.all() if attr_type & AttrType.GROUP else Role.objects.filter(is_active=True)
    ).order_by()


def pointing_to(attrs: Sequence[EntityAttr], targets: QuerySet[Any]) -> Q:
    """Return the condition that an entry refers to one of the targets by one of some attributes.

    Their ids are asked for first. Few are looked for in the index of current values; of more PostgreSQL goes
    through the references to them, and SQLite always, as it has no such index.
    """
    pks = targets.values_list("pk", flat=True)
    is_postgresql = connection.vendor == "postgresql"
    ids = list(pks[: _FEW + 1] if is_postgresql else pks)
    if is_postgresql and len(ids) <= _FEW:
        return _any_of(Q(_Holds(attr, ids)) for attr in attrs)

    def is_target(attr: EntityAttr) -> Q:
        column = _column(attr)
        return Q(**{f"{column}__in": pks}) if is_postgresql else Q(IsOneOf(column, ids))

    return _any_of(holders(current_references(attr).filter(is_target(attr))) for attr in attrs)


def current_references(attr: EntityAttr) -> QuerySet[AttributeReference]:
    """Return the references in current values of an attribute."""
    return AttributeReference.objects.filter(
        value__is_latest=True,
        value__is_active=True,
        value__parent_attr__is_active=True,
        value__parent_attr__schema=attr.pk,
    ).order_by()


def holders(references: QuerySet[AttributeReference]) -> Q:
    """Return the condition that an entry has one of the references."""
    return Q(pk__in=references.values("value__parent_entry"))


def filled(attr: EntityAttr, user: Viewer | None) -> Q:
    """Return the condition that a reference of an entry points to what `user` is shown, or has a name."""
    return holders(current_references(attr).filter(_is_seen(attr, user) | ~Q(name="")))


def _is_seen(attr: EntityAttr, user: Viewer | None) -> Q:
    """By the path to it, not by a query inside of the query: SQLite reads no deep ones."""
    match _column(attr):
        case "group":
            return Q(group__isnull=False)
        case "role":
            return Q(role__is_active=True)
    seen = Q(entry__is_active=True)
    if user is None:
        return seen
    of_entity = may(user, Level.READABLE, "entity", "entry__schema__")
    return seen & may(user, Level.READABLE, "entry", "entry__") & of_entity


def by_name_or_id(test: Test) -> Q:
    """Return the condition that a target has the name or the id that a test holds it against."""
    if test.operator == "in":
        try:
            values = read_values(test.value, lambda raw: raw)
        except ValueFault as fault:
            raise wrong(test, fault) from fault
        found = Q(pk__in=[])
        for value in values:
            found |= by_name_or_id(with_operator(test, "eq", value))
        return found
    if test.operator != "eq":
        value = composed(read_operand(ValueKind.TEXT, test))
        return Q(Compared(ValueKind.TEXT, test.operator, value, of=F("name")))
    raw = test.value
    if isinstance(raw, int) and not isinstance(raw, bool):
        return Q(pk=raw) if 0 < raw <= MAX_INTEGER else Q(pk__in=[])
    found = Q(name__in=spellings([read_operand(ValueKind.TEXT, test)]))
    return found | Q(pk=int(raw)) if is_id(raw) else found


def _any_of(parts: Iterable[Q]) -> Q:
    return reduce(or_, parts, Q(pk__in=[]))


def _column(attr: EntityAttr) -> str:
    """Return the column of a reference that has its target."""
    kind = attr.attr_type
    return "entry" if kind & AttrType.OBJECT else "group" if kind & AttrType.GROUP else "role"


class _Holds(Func):
    """Whether an entry's current value points to one of some targets, by their ids; on PostgreSQL."""

    output_field = BooleanField()

    def __init__(self, attr: EntityAttr, ids: Sequence[int]) -> None:
        super().__init__(F("current_values"))
        is_named, is_array = AttrType.NAMED in attr.attr_type, attr.attr_type.is_array
        links: list[Any] = [{"id": pk} if is_named else pk for pk in ids]
        self.held = [json.dumps({str(attr.pk): [link] if is_array else link}) for link in links]

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, *_args: Any, **_context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the SQL; Any: what a template of Func would use."""
        column, params = compiler.compile(self.get_source_expressions()[0])
        return f"({column} @> ANY (%s::jsonb[]))", (*params, self.held)

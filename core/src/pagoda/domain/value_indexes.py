"""Indexes of single attributes: of those that are marked `is_indexed`, and of no others.

Each has the expression of `pagoda.domain.value_expressions` and the entry's id, so that it serves conditions
and ordered pages; on PostgreSQL of the entries of its entity alone. Arrays need none: the index of all
current values finds what they hold. PostgreSQL lets the owner of the tables alone make them: to a worker
with an account of its own they are left, and `pagoda migrate` makes them.

On PostgreSQL statistics of the same name go with each: its planner does not use those of an index that has
some rows only, and would take one bound, such as ``> 5``, for a third of the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from time import monotonic
from typing import Final

from django.db import DatabaseError, connection

from pagoda.domain.entity.models import EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.value_expressions import has_key, key_of

_PREFIX: Final = "pagoda_value_"
_LOOK_SECONDS: Final = 30  # what a process has seen of the indexes counts for so long
_OWNS: Final = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'entry_entry'::regclass"
_STORED: Final = {  # by name, with whether it can be used: one that was not finished is not
    "postgresql": """
        SELECT class.relname, i.indisvalid FROM pg_index i JOIN pg_class class ON class.oid = i.indexrelid
        WHERE i.indrelid = 'entry_entry'::regclass AND starts_with(class.relname, %s)""",
    "sqlite": "SELECT name, 1 FROM sqlite_master WHERE type = 'index' AND instr(name, %s) = 1",
}
_STATISTICS: Final = """
    SELECT stxname FROM pg_statistic_ext
    WHERE stxrelid = 'entry_entry'::regclass AND starts_with(stxname, %s)"""


@dataclass(slots=True)
class IndexChanges:
    """What was done, by the names of the indexes."""

    made: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)  # what the database said
    left: list[str] = field(default_factory=list)  # to make and to drop, for the owner of the tables


def make_indexes() -> IndexChanges:
    """Make the indexes that are missing, one after another, and drop those that nobody wants any more.

    PostgreSQL makes them while others write, so it can't be in a transaction. What fails is tried again by
    the next call; the others are made.
    """
    done = IndexChanges()
    wanted = dict(_wanted())
    stored = _stored()
    at_once = "CONCURRENTLY " if connection.vendor == "postgresql" else ""
    gone = [name for name, is_valid in stored.items() if name not in wanted or not is_valid]
    statements = [(name, f"DROP INDEX {at_once}IF EXISTS {name}", done.dropped) for name in gone]
    statements += [
        (name, f"CREATE INDEX {at_once}{name} ON entry_entry {_columns(attr)}", done.made)
        for name, attr in wanted.items()
        if not stored.get(name)
    ]
    counted: list[str] = []
    if connection.vendor == "postgresql":
        known = _statistics()
        statements += [(name, f"DROP STATISTICS IF EXISTS {name}", []) for name in known - wanted.keys()]
        statements += [
            (name, f"CREATE STATISTICS {name} ON ({_key(attr)}) FROM entry_entry", counted)
            for name, attr in wanted.items()
            if name not in known
        ]
    if statements and not _is_owner():
        done.left = list(dict.fromkeys(name for name, _, _ in statements))
        return done
    for name, statement, told in statements:
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
            told.append(name)
        except DatabaseError as error:
            done.failed[name] = str(error).strip()
    if counted:
        _gather_statistics()
    _usable.cache_clear()
    return done


def _gather_statistics() -> None:
    """Have PostgreSQL learn which values there are, which the next ANALYZE would do, maybe days later.

    Until then the planner would take a narrow range for half a percent of the rows, and walk along the order
    of the page instead.
    """
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE entry_entry")


def has_index(attr: EntityAttr) -> bool:
    """Return whether PostgreSQL has an index of the attribute's values in their order, and can use it."""
    if connection.vendor != "postgresql" or not getattr(attr, "is_indexed", False):
        return False
    return _name(attr) in _usable(int(monotonic() / _LOOK_SECONDS))


@lru_cache(maxsize=1)
def _usable(_period: int) -> frozenset[str]:
    return frozenset(name for name, is_valid in _stored().items() if is_valid)


def _stored() -> dict[str, bool]:
    with connection.cursor() as cursor:
        cursor.execute(_STORED[connection.vendor], [_PREFIX])
        return dict(cursor.fetchall())


def _statistics() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_STATISTICS, [_PREFIX])
        return {name for (name,) in cursor.fetchall()}


def _is_owner() -> bool:
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute(_OWNS)
        return bool(cursor.fetchone()[0])


def _wanted() -> Iterator[tuple[str, EntityAttr]]:
    attrs = EntityAttr.objects.active().filter(is_indexed=True, parent_entity__is_active=True)
    for attr in attrs.order_by("pk"):
        if has_key(attr.attr_type):
            yield _name(attr), attr


def _name(attr: EntityAttr) -> str:
    # With its type, as values of another one take another index.
    return f"{_PREFIX}{attr.pk}_{attr.attr_type.type_name}"


def _columns(attr: EntityAttr) -> str:
    where = f" WHERE schema_id = {attr.parent_entity_id}" if connection.vendor == "postgresql" else ""
    return f"(({_key(attr)}), id){where}"


def _key(attr: EntityAttr) -> str:
    query = Entry.objects.all().query
    compiler = query.get_compiler(connection=connection)
    sql, _ = compiler.compile(key_of(attr.pk, attr.attr_type).resolve_expression(query))
    table = compiler.quote_name_unless_alias("entry_entry")  # SQLite takes none here
    return str(sql).replace(f"{table}.", "")

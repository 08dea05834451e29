"""Hard deletes look at who refers to the row, the tables of plugins that are not enabled among them.

Django follows the foreign keys of the models that are installed. The table of a plugin that was taken out of
``ENABLED_PLUGINS`` keeps its rows and its foreign keys, and its ``on_delete`` is gone with its models: the
database would refuse at the end of the transaction, without saying whose rows are in the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import DO_NOTHING, PROTECT, RESTRICT, Field, Model, ProtectedError, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.signals import pre_delete

from pagoda import running

_KEYS_SQL: Final = {
    "postgresql": (
        "SELECT key.conrelid::regclass::text, of.attname, at.attname FROM pg_constraint key"
        " JOIN pg_attribute of ON of.attrelid = key.conrelid AND of.attnum = key.conkey[1]"
        " JOIN pg_attribute at ON at.attrelid = key.confrelid AND at.attnum = key.confkey[1]"
        " WHERE key.contype = 'f' AND key.confdeltype IN ('a', 'r') AND key.confrelid = to_regclass(%s)"
    ),
    "sqlite": (
        'SELECT of.name, key."from", key."to" FROM sqlite_master of JOIN pragma_foreign_key_list(of.name) key'
        " WHERE of.type = 'table' AND key.on_delete IN ('NO ACTION', 'RESTRICT') AND key.\"table\" = %s"
    ),
}
_NOTHING: Final[Mapping[type[Model], str]] = MappingProxyType({})


class ForeignKey(NamedTuple):
    """A foreign key of the database that Django does not see to when the row it points to is deleted."""

    table: str  # as the database writes it, quoted where it has to be
    column: str
    target: str  # the column it points to


class StillReferenced(ProtectedError):
    """Rows that no installed model knows refer to what was to be deleted; the message names them."""

    def __init__(self, message: str) -> None:
        super().__init__(message, set())


def refuse_referenced(model: type[Model], hanging: Mapping[type[Model], str] = _NOTHING) -> None:
    """Have hard deletes of `model` refused while such rows refer to a row, or to what hangs on it.

    `hanging` are models whose rows go along without signals, with the look-up that leads to the row.
    Calling it again changes nothing.
    """
    receiver = partial(_before_delete, hanging=hanging)
    pre_delete.connect(
        receiver, sender=model, weak=False, dispatch_uid=f"pagoda.hard_deletes.{model._meta.label}"
    )


def unseen_keys(model: type[Model], using: str = DEFAULT_DB_ALIAS) -> list[ForeignKey]:
    """Return the foreign keys to the table of `model` that Django does not see to, in one query."""
    connection = connections[using]
    sql, table = _KEYS_SQL.get(connection.vendor), model._meta.db_table
    if sql is None:
        return []
    with connection.cursor() as cursor:
        name = connection.ops.quote_name(table) if connection.vendor == "postgresql" else table
        cursor.execute(sql, [name])
        keys = [ForeignKey(*row) for row in cursor.fetchall()]
    seen_to = {
        (field.model._meta.db_table, field.column)
        for each in apps.get_models(include_auto_created=True)
        for field in each._meta.local_concrete_fields
        if field.remote_field and field.remote_field.on_delete is not DO_NOTHING
    }
    return [key for key in keys if (key.table.strip('"'), key.column) not in seen_to]


def removable[M: Model](rows: QuerySet[M]) -> QuerySet[M]:
    """Return those of `rows` that no row keeps, by a protecting key or by one that Django does not see to.

    What removes old rows by itself leaves the others until their plugin lets them go.
    """
    for relation in rows.model._meta.related_objects:
        if relation.on_delete in (PROTECT, RESTRICT):
            holders = relation.related_model._base_manager.exclude(**{relation.field.name: None})
            rows = rows.exclude(pk__in=holders.values(relation.field.name))
    connection = connections[rows.db]
    for key in unseen_keys(rows.model, rows.db):
        column = connection.ops.quote_name(key.column)
        table = key.table if connection.vendor == "postgresql" else connection.ops.quote_name(key.table)
        # Names come from the database's own catalogue.
        kept = RawSQL(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL", [])  # noqa: S608, S611
        rows = rows.exclude(**{f"{_field(rows.model, key).attname}__in": kept})
    return rows


def _field(model: type[Model], key: ForeignKey) -> Field[Any, Any]:  # Any: the value's types
    return next(field for field in model._meta.concrete_fields if field.column == key.target)


@running.as_host()
def _before_delete(
    *, instance: Model, using: str, origin: Any, hanging: Mapping[type[Model], str], **_signal: object
) -> None:
    # One look at the keys for all rows of one delete(): `origin` is the row or queryset it began with.
    known: dict[type[Model], list[ForeignKey]] = vars(origin).setdefault("_pagoda_unseen_keys", {})
    for model, look_up in {type(instance): "pk", **hanging}.items():
        if model not in known:
            known[model] = unseen_keys(model, using)
        for key in known[model]:
            rows = model._base_manager.using(using).filter(**{look_up: instance.pk})
            if count := _count(key, rows):
                raise StillReferenced(_refusal(instance, key, count, using))


def _count(key: ForeignKey, rows: QuerySet[Model]) -> int:
    connection = connections[rows.db]
    column = connection.ops.quote_name(key.column)
    table = key.table if connection.vendor == "postgresql" else connection.ops.quote_name(key.table)
    targets, params = rows.order_by().values(_field(rows.model, key).attname).query.sql_with_params()
    with connection.cursor() as cursor:
        # Names come from the database's own catalogue, values are parameters.
        cursor.execute(f"SELECT COUNT(*) FROM {table} WHERE {column} IN ({targets})", params)  # noqa: S608
        return int(cursor.fetchone()[0])


def _refusal(instance: Model, key: ForeignKey, count: int, using: str) -> str:
    noun = instance._meta.verbose_name
    rows = f"{count:,} row(s) of table {key.table!r} (column {key.column!r}) refer to it"
    label = _app_label(key.table, using)
    if label is None:
        whose = "a table that no installed app knows; remove these rows or the table"
    elif label in apps.app_configs:
        whose = f"of app {label!r}, which leaves them to you; remove or change these rows"
    else:
        whose = (
            f"of app {label!r}, whose plugin is not enabled; enable it in ENABLED_PLUGINS and delete again, "
            f"or enable it, run `pagoda migrate {label} zero` to drop its tables, and disable it"
        )
    return f"{str(noun).capitalize()} {str(instance)!r} can't be deleted: {rows}, {whose}."


def _app_label(table: str, using: str) -> str | None:
    """Return the label of the app whose migrations made the table, as far as its name tells."""
    labels: Sequence[str] = [label for label, _ in MigrationRecorder(connections[using]).applied_migrations()]
    name = table.strip('"').rpartition(".")[2]
    return max((label for label in set(labels) if name.startswith(f"{label}_")), key=len, default=None)

"""Give tests the rows back that migrating left, when one with transactions of its own emptied the tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.db import connection, transaction

type Rows = Mapping[str, Sequence[tuple[Any, ...]]]  # Any: values of every column
"""The rows of each table by its name, where it has any."""

AFTER_FLUSH = "django.core.management.commands.flush.emit_post_migrate_signal"


def rows_of_all_tables() -> Rows:
    """Return what is stored now."""
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return {table: rows for table in tables if (rows := _rows(table))}


@contextmanager
def put_back_by_flush(stored: Rows) -> Iterator[None]:
    """Have `flush`, within the block, store these rows again.

    Django has it ask every app for content types and permissions instead, which takes longer than most tests.
    """

    def put_back(*_arguments: Any, **_options: Any) -> None:
        store(stored)

    with mock.patch(AFTER_FLUSH, put_back):
        yield


def store(rows_by_table: Rows) -> None:
    """Write rows as they are."""
    with transaction.atomic(), connection.cursor() as cursor, _without_triggers():
        for table, rows in rows_by_table.items():
            places = ", ".join(["%s"] * len(rows[0]))
            name = connection.ops.quote_name(table)
            cursor.executemany(f"INSERT INTO {name} VALUES ({places})", rows)  # noqa: S608 - a model's


@contextmanager
def _without_triggers() -> Iterator[None]:
    """Keep SQLite's triggers from noting changes; what they wrote is among the rows."""
    if connection.vendor != "sqlite":
        yield
        return
    connection.connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)
    try:
        yield
    finally:
        connection.connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, True)


def _rows(table: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - a model's
        return list(cursor.fetchall())

"""Values put in place of the former in the rows of entries, by the database.

It merges, as somebody else may have changed other values since they were read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import F, Func, JSONField
from django.db.models.expressions import Combinable

from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.storing import Current

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler


def merged(current: Current) -> Combinable:
    """Return the expression of the column with these values in place of the former; null stays null."""
    return _Merged(F("current_values"), current)


def merge(attr_id: int, values: Mapping[int, Any], updated: datetime | None) -> None:
    """Store the JSON of an attribute's values in the rows of entries, by id, whose locks the caller holds.

    With a time, that is when the entries were changed. Any: JSON of the type.
    """
    column, key = connection.ops.quote_name(Entry.UNSAVED), str(attr_id)
    stamp = ", updated_time = %s" if updated else ""
    stamps = [connection.ops.adapt_datetimefield_value(updated)] if updated else []
    sql, _ = _put(column, {key: None}, connection.vendor)
    rows = [(*_put(column, {key: each}, connection.vendor)[1], *stamps, pk) for pk, each in values.items()]
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE entry_entry SET {column} = {sql}{stamp} WHERE id = %s", rows)  # noqa: S608


class _Merged(Func):
    output_field = JSONField()

    def __init__(self, column: Combinable, current: Current) -> None:
        super().__init__(column)
        self._current = current

    # Any: what a template of Func would use
    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, *_args: Any, **_context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        column, params = compiler.compile(self.get_source_expressions()[0])
        sql, values = _put(column, self._current, connection.vendor)
        return f"({sql})", (*params, *values)


def _put(column: str, current: Current, vendor: str) -> tuple[str, list[str]]:
    """Return the SQL of `column` with these values in it, which their keys decide, and its parameters."""
    if vendor == "postgresql":
        return f"{column} || %s::jsonb", [json.dumps(current)]
    pairs = [part for key, value in current.items() for part in (f'$."{key}"', json.dumps(value))]
    return f"JSON_SET({column}{', %s, JSON(%s)' * len(current)})", pairs

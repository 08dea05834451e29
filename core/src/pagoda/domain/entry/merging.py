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
    from django.db.models.sql.compiler import SQLCompiler


def merged(current: Current) -> Combinable:
    """Return the expression of the column with these values in place of the former; null stays null."""
    return _Merged(F("current_values"), current)


def merge(attr_id: int, values: Mapping[int, Any], updated: datetime | None) -> None:
    """Store the JSON of an attribute's values in the rows of entries, by id, whose locks the caller holds.

    With a time, that is when the entries were changed. Any: JSON of the type.
    """
    column = connection.ops.quote_name(Entry.UNSAVED)
    put = f"JSON_SET({column}, '$.\"{int(attr_id)}\"', JSON(%s))"
    if connection.vendor == "postgresql":
        put = f"{column} || jsonb_build_object('{int(attr_id)}', %s::jsonb)"
    stamp = ", updated_time = %s" if updated else ""
    stamps = [connection.ops.adapt_datetimefield_value(updated)] if updated else []
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE entry_entry SET {column} = {put}{stamp} WHERE id = %s",  # noqa: S608 - a column, a number
            [(json.dumps(value), *stamps, pk) for pk, value in values.items()],
        )


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

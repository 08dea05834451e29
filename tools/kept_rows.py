"""Give a test the rows that an earlier one of its process made, without the services that made them."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from django.db import connection

from tools.flushed_database import Rows, rows_of_all_tables, store

_kept: dict[object, tuple[Rows, object]] = {}
"""By who makes them, and from which ids on: the new rows, and what was returned with them."""
_held: set[object] = set()
"""What was stored again once, and was what had been made."""


def made_once[**P, T](make: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what ``make(...)`` returns, with the rows it adds; from the second test on a copy of both.

    It is to change no row that is there, to depend on nothing but numbers among its arguments and the ids
    that are free, and to return rows, or what can be copied with them: a ValueError tells of what it changed.
    On another database than SQLite, which keeps the next ids in a table, it is called each time.
    """
    if connection.vendor != "sqlite":
        return make(*args, **kwargs)
    numbers = tuple(each for each in args if isinstance(each, int))
    key = make, numbers, _next_ids()
    if key not in _kept:
        before = rows_of_all_tables()
        made = make(*args, **kwargs)
        _kept[key] = _added(before), deepcopy(made)
        return made
    rows, returned = _kept[key]
    before = {} if key in _held else rows_of_all_tables()
    store(rows)
    if key not in _held:
        if _added(before) != rows:
            raise ValueError(
                f"{make.__qualname__} made rows that can't be stored again: call it for each test"
            )
        _held.add(key)
    return deepcopy(returned)  # type: ignore[return-value]  # of the same call


def _next_ids() -> tuple[tuple[Any, ...], ...]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, seq FROM sqlite_sequence WHERE seq > 0 ORDER BY name")
        return tuple(cursor.fetchall())


def _added(before: Rows) -> Rows:
    """Return the rows that were not there before; those of then are to be there still."""
    after = rows_of_all_tables()
    gone = {table for table, rows in before.items() if not set(rows) <= set(after.get(table, ()))}
    if gone:
        raise ValueError(f"rows of {', '.join(sorted(gone))} were changed or removed: call it for each test")
    old = {table: set(rows) for table, rows in before.items()}
    new = {table: [row for row in rows if row not in old.get(table, ())] for table, rows in after.items()}
    return {table: rows for table, rows in new.items() if rows}

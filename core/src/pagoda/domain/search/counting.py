"""How many rows a search finds: exactly up to 10,000, and PostgreSQL's estimate beyond.

Counting costs as much as finding, so it is done along with the page, or once by the cheaper of two plans.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import OperationalError, connection, transaction
from django.db.models import Count as CountAll
from django.db.models import IntegerField, QuerySet, Subquery, Window

from pagoda.domain.interrupting import was_ended

EXACT_COUNT: Final = 10_000
FEW: Final = 2_000
"""So many expected rows are found and sorted as a whole for a page of them: counting them costs nothing."""
_MANY: Final = 5 * EXACT_COUNT  # so many expected rows are no 10,000, unless statistics are old
_SECONDS: Final = 0.1  # that the first 10,001 of many rows may take

ALL_FOUND: Final = Window(CountAll("*"))
"""How many rows a query finds, with each of them, whatever it is limited to."""


class Count(NamedTuple):
    """How many rows there are."""

    number: int
    is_exact: bool


def count_rows(rows: QuerySet[Any], expected: int | None = None) -> Count:
    """Count exactly up to 10,000; more are estimated on PostgreSQL, and counted on SQLite.

    PostgreSQL estimates, too, where it expects many and the first of them lie so far from each other that
    they are not found within a tenth of a second. `expected` spares asking it what it expects.
    """
    if expected is None:
        expected = expected_rows(rows)
    number = _first_of_many(rows) if expected > _MANY else counted(rows, EXACT_COUNT + 1)
    return Count(expected, is_exact=False) if number is None else _count(number, rows, expected)


class CountOf(Subquery):
    """How many rows there are, of more than 10,000 one more than that; the database counts them once."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()

    def __init__(self, rows: QuerySet[Any], expected: int | None = None, *, by_index: bool = False) -> None:
        """`by_index`: most of an entity's rows, or of all, are looked for; an index has them by their ids."""
        ordered = rows.order_by("pk") if by_index else rows.order_by()
        super().__init__(ordered.values("pk")[: EXACT_COUNT + 1])
        self._rows, self._expected = rows, expected

    def read(self, number: int) -> Count:
        """Return the count that this number of it says."""
        return _count(number, self._rows, self._expected)


def is_many(expected: int) -> bool:
    """Return whether PostgreSQL would find the first of so many rows without looking for all of them."""
    return expected > _MANY


def _count(number: int, rows: QuerySet[Any], expected: int | None) -> Count:
    if number <= EXACT_COUNT:
        return Count(number, is_exact=True)
    if connection.vendor != "postgresql":
        return Count(rows.count(), is_exact=True)
    return Count(max(number, expected_rows(rows) if expected is None else expected), is_exact=False)


def expected_rows(rows: QuerySet[Any]) -> int:
    """Return how many rows PostgreSQL thinks that there are; 0 on SQLite, which thinks nothing."""
    if connection.vendor != "postgresql":
        return 0
    plan = rows.order_by().values("pk").explain(format="json")  # "" where Django knows that nothing fits
    return int(json.loads(plan)[0]["Plan"]["Plan Rows"]) if plan else 0


def counted(rows: QuerySet[Any], most: int) -> int:
    """Return how many rows there are, of more than `most` that number.

    PostgreSQL plans it as if all were counted: for the first of so many as it takes there to be it would go
    through the table, which is slow where there are fewer.
    """
    rows = rows.order_by().values("pk")
    if connection.vendor != "postgresql":
        return rows[:most].count()
    try:
        sql, params = rows.query.sql_with_params()
    except EmptyResultSet:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_COUNT.format(rows=sql), [*params, most])
        return int(cursor.fetchone()[0])


_COUNT: Final = (
    "WITH found AS MATERIALIZED ({rows}) SELECT COUNT(*) FROM (SELECT FROM found LIMIT %s) counted"
)


def _first_of_many(rows: QuerySet[Any]) -> int | None:
    """Return how many rows there are, of more than 10,000 one more than that; None: it took too long."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, TRUE)", [str(int(_SECONDS * 1000))])
            number = rows.order_by().values("pk")[: EXACT_COUNT + 1].count()
            transaction.set_rollback(True)  # gives back the time that was set before
            return number
    except OperationalError as error:
        if not was_ended(error):
            raise
        return None

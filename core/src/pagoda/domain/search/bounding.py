"""What a search may take: time, and rows that no index leads to."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, EmptyResultSet, ValidationError
from django.db import DataError, OperationalError, connection, transaction
from django.db.models import IntegerField, QuerySet, Subquery

from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.verifying import fill
from pagoda.domain.interrupting import ending_when
from pagoda.domain.search.regexes import FUNCTION, matches
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.text import listed

EXACT_COUNT: Final = 10_000
_FILLED: Final = 5_000
_MANY: Final = 5 * EXACT_COUNT  # so many expected rows are no 10,000, even where statistics are old


class Count(NamedTuple):
    """How many rows there are."""

    number: int
    is_exact: bool


@contextmanager
def bounded(hint: str = "") -> Iterator[None]:
    """End the queries in it after SEARCH_TIMEOUT_SECONDS.

    Raises:
        ValidationError: they were ended; `hint` says what would help.
    """
    seconds = settings.PAGODA.search_timeout_seconds
    bound = _on_postgresql if connection.vendor == "postgresql" else _on_sqlite
    try:
        with bound(seconds):
            yield
    except DataError as error:
        fault = say("The database can't compare that: {error}", error=str(error).splitlines()[0])
        raise ValidationError({NON_FIELD_ERRORS: [fault]}, code="invalid") from error
    except OperationalError as error:
        if not any(word in str(error) for word in ("statement timeout", "interrupted")):
            raise
        fault = say(
            "The search took more than {seconds:g} s (SEARCH_TIMEOUT_SECONDS) and was ended. {what}",
            seconds=seconds,
            what=hint or say("Narrow it by the entity, by an equal value or by the beginning of an order."),
        )
        raise ValidationError({NON_FIELD_ERRORS: [fault]}, code="too_slow") from error


@contextmanager
def _on_postgresql(seconds: float) -> Iterator[None]:
    with transaction.atomic(), connection.cursor() as cursor:
        # What was set comes back with the end of what may be somebody else's transaction. By one process:
        # to have rows sorted by others it would rather read the table than an index.
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, TRUE), "
            "set_config('max_parallel_workers_per_gather', '0', TRUE)",
            [str(int(seconds * 1000))],
        )
        yield
        cursor.execute(
            "SET LOCAL statement_timeout TO DEFAULT; SET LOCAL max_parallel_workers_per_gather TO DEFAULT"
        )


@contextmanager
def _on_sqlite(seconds: float) -> Iterator[None]:
    connection.ensure_connection()
    database: Any = connection.connection  # Any: sqlite3's
    database.create_function(FUNCTION, 2, matches, deterministic=True)
    ends = time.monotonic() + seconds
    with ending_when(connection, lambda: time.monotonic() > ends):
        yield


def refuse_hopeless(key: str, candidates: QuerySet[Any], slow: Sequence[str]) -> None:
    """Refuse to go through more rows than SEARCH_MAX_SCANNED_ROWS one by one.

    `candidates` are those that an index leads to, `slow` says what has to be held against each.

    Raises:
        ValidationError: keyed by `key`; names the index to make.
    """
    most = settings.PAGODA.search_max_scanned_rows
    if slow and _counted(candidates, most + 1) > most:
        fault = say(
            "More than {most:,} entries (SEARCH_MAX_SCANNED_ROWS) would have to be gone through "
            "one by one: {slow}. Or narrow it by an equal value or the entity.",
            most=most,
            slow=listed(slow),
        )
        raise ValidationError({key: [fault]}, code="too_slow")


def count_rows(rows: QuerySet[Any]) -> Count:
    """Count exactly up to 10,000; more are estimated on PostgreSQL, and counted on SQLite.

    PostgreSQL counts none where it expects many more: the first of them may lie far from each other.
    """
    expected = _expected(rows) if connection.vendor == "postgresql" else 0
    if expected > _MANY:
        return Count(expected, is_exact=False)
    return _count(_counted(rows, EXACT_COUNT + 1), rows, expected)


class CountOf(Subquery):
    """How many rows there are, of more than 10,000 one more than that; the database counts them once."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()

    def __init__(self, rows: QuerySet[Any], *, of_entity: bool = False) -> None:
        """`of_entity`: they are all of one entity, which an index has by their ids."""
        ordered = rows.order_by("pk") if of_entity else rows.order_by()
        super().__init__(ordered.values("pk")[: EXACT_COUNT + 1])
        self._rows = rows

    def read(self, number: int) -> Count:
        """Return the count that this number of it says."""
        return _count(number, self._rows)


def _count(number: int, rows: QuerySet[Any], expected: int = 0) -> Count:
    if number <= EXACT_COUNT:
        return Count(number, is_exact=True)
    if connection.vendor != "postgresql":
        return Count(rows.count(), is_exact=True)
    return Count(max(number, expected or _expected(rows)), is_exact=False)


def _expected(rows: QuerySet[Any]) -> int:
    """Return how many rows PostgreSQL thinks that there are."""
    try:
        plan = json.loads(rows.order_by().explain(format="json"))
    except EmptyResultSet:
        return 0
    return int(plan[0]["Plan"]["Plan Rows"])


def _counted(rows: QuerySet[Any], most: int) -> int:
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


def require_values() -> None:
    """Have every entry hold its current values, by which conditions look for it.

    Raises:
        ValidationError: so many have none that a request can't make them.
    """
    missing = Entry.objects.filter(current_values__isnull=True).order_by()
    if missing.exists() and fill(most=_FILLED) >= _FILLED and missing.exists():
        fault = say(
            "The values of many entries are being made; ask again later, or have `pagoda migrate` run."
        )
        raise ValidationError({NON_FIELD_ERRORS: [fault]}, code="unready")

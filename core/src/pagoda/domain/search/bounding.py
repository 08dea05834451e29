"""What a search may take: time, and rows that no index leads to."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import DataError, OperationalError, connection, transaction
from django.db.models import Exists, QuerySet

from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.verifying import fill
from pagoda.domain.interrupting import ending_when, was_ended
from pagoda.domain.search.counting import counted
from pagoda.domain.search.regexes import FUNCTION, matches
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.text import listed

_FILLED: Final = 5_000
_MISSING: Final = Entry.objects.filter(current_values__isnull=True).order_by()


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
        if not was_ended(error):
            raise
        fault = say(
            "The search took more than {seconds:g} s (SEARCH_TIMEOUT_SECONDS) and was ended. {what}",
            seconds=seconds,
            what=hint or say("Narrow it by the entity, by an equal value or by the beginning of an order."),
        )
        raise ValidationError({NON_FIELD_ERRORS: [fault]}, code="too_slow") from error


@contextmanager
def _on_postgresql(seconds: float) -> Iterator[None]:
    is_own = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        # By one process: to have rows sorted by others it would rather read the table than an index.
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, TRUE), "
            "set_config('max_parallel_workers_per_gather', '0', TRUE)",
            [str(int(seconds * 1000))],
        )
        yield
        if not is_own:  # somebody else's transaction goes on; the end of one's own gives it back
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
    if slow and counted(candidates, most + 1) > most:
        fault = say(
            "More than {most:,} entries (SEARCH_MAX_SCANNED_ROWS) would have to be gone through "
            "one by one: {slow}. Or narrow it by an equal value or the entity.",
            most=most,
            slow=listed(slow),
        )
        raise ValidationError({key: [fault]}, code="too_slow")


def without_values() -> Exists:
    """Return the condition that there is an entry without its current values."""
    return Exists(_MISSING)


def require_values() -> None:
    """Have every entry hold its current values, by which conditions look for it.

    Raises:
        ValidationError: so many have none that a request can't make them.
    """
    if _MISSING.exists() and fill(most=_FILLED) >= _FILLED and _MISSING.exists():
        fault = say(
            "The values of many entries are being made; ask again later, or have `pagoda migrate` run."
        )
        raise ValidationError({NON_FIELD_ERRORS: [fault]}, code="unready")

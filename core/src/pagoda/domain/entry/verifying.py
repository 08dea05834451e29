"""Holds entries' current values against the history, which is what counts, and makes them of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.db.migrations.recorder import MigrationRecorder

from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.reading import from_history
from pagoda.domain.entry.storing import Current

_BATCH_SIZE: Final = 1_000


@dataclass(slots=True)
class ValuesCheck:
    """What was found."""

    entries: int = 0
    missing: int = 0  # entries without current values, which are read from the history
    wrong: tuple[int, ...] = ()  # ids of those that say something else than the history


def verify(*, repair: bool = False) -> ValuesCheck:
    """Compare the current values of every entry with its history; with `repair` store what that says.

    In batches, each in a transaction of its own, so that it may be ended and begun again, and others write
    meanwhile.
    """
    found = ValuesCheck()
    for ids in _batches(only_missing=False):
        missing, wrong = _compared(ids)
        if missing or wrong:
            with transaction.atomic():
                # Somebody may have written between both reads; who writes has the lock on the entry's row.
                missing, wrong = _compared(_locked(sorted(missing.keys() | wrong.keys())))
                if repair:
                    _store(missing | wrong)
        found.entries += len(ids)
        found.missing += len(missing)
        found.wrong += tuple(sorted(wrong))
    return found


def after_migrations(*, using: str, verbosity: int, stdout: Any = sys.stdout, **_signal: object) -> None:
    """Give the entries of an earlier release their current values, if the database is migrated that far."""
    applied = MigrationRecorder(connection).applied_migrations()
    if using == DEFAULT_DB_ALIAS and ("entry", "0003_current_values") in applied:
        count = fill()
        if count and verbosity:
            stdout.write(f"{count} entries of an earlier release got their current values\n")


def fill(*, most: int | None = None) -> int:
    """Store the current values of the entries that have none, in batches as `verify`; return how many.

    It ends behind the batch that has reached `most`.
    """
    count = 0
    for ids in _batches(only_missing=True):
        with transaction.atomic():
            missing, _ = _compared(_locked(ids))
            _store(missing)
        count += len(missing)
        if most is not None and count >= most:
            break
    return count


def _batches(*, only_missing: bool) -> Iterator[list[int]]:
    entries = Entry.objects.order_by("pk")
    if only_missing:
        entries = entries.filter(current_values__isnull=True)
    last = 0
    while ids := list(entries.filter(pk__gt=last).values_list("pk", flat=True)[:_BATCH_SIZE]):
        yield ids
        last = ids[-1]


def _locked(ids: Sequence[int]) -> list[int]:
    rows = Entry.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
    return list(rows.values_list("pk", flat=True))


def _compared(ids: Sequence[int]) -> tuple[dict[int, Current], dict[int, Current]]:
    """Return what the history says of the entries without current values, and of those with others."""
    stored = dict(Entry.objects.filter(pk__in=ids).values_list("pk", "current_values"))
    history = from_history(stored)
    missing = {pk: history[pk] for pk, current in stored.items() if current is None}
    wrong = {
        pk: history[pk]
        for pk, current in stored.items()
        if current is not None and _plain(current) != _plain(history[pk])
    }
    return missing, wrong


def _plain(current: Current) -> str:
    # As text, because 1, 1.0 and true are equal in Python; null and missing are the same here.
    return json.dumps({key: value for key, value in current.items() if value is not None}, sort_keys=True)


def _store(values: Mapping[int, Current]) -> None:
    # One statement for each row, which the driver sends together: an update by CASE grows with its square.
    given = "%s::jsonb" if connection.vendor == "postgresql" else "%s"
    table = connection.ops.quote_name(Entry._meta.db_table)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {table} SET current_values = {given} WHERE id = %s",  # noqa: S608 - a constant
            [(json.dumps(current), pk) for pk, current in values.items()],
        )

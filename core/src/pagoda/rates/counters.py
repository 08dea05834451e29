"""Where requests are counted, each count in one atomic step: a port, and its adapters."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.core.cache import caches
from django.db import connection

from pagoda.config.redis_package import redis_package
from pagoda.fencing.foreign_rows import COUNT_MAX, Drops
from pagoda.rates.models import RateCount

DROPS = Drops("rate")

KEPT_SECONDS = 3600
"""How long counts of windows that ended stay in the database."""


class CounterUnavailable(Exception):
    """The shared counter does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What is counted together: one key in one window."""

    key: str
    ends_at: int  # of the window, in seconds since 1970; the hosts' clocks may differ by a little


class Counter(Protocol):
    """Counts requests."""

    def count(self, slots: Sequence[Slot]) -> Mapping[str, int]:
        """Count one request in each slot and return ``{key: count}``, this one included."""
        ...


class RedisCounter:
    """Counts in the shared cache, `CACHE_URL`: one round trip."""

    def count(self, slots: Sequence[Slot]) -> Mapping[str, int]:
        """Count one request in each slot.

        Raises:
            CounterUnavailable: Redis does not answer.
        """
        errors = redis_package().exceptions

        try:
            client = caches["default"]._cache.get_client(write=True)  # type: ignore[attr-defined]  # of RedisCache  # noqa: SLF001
            pipeline = client.pipeline(transaction=False)
            for slot in slots:
                key = f"pagoda:rate:{slot.ends_at}:{slot.key}"
                pipeline.incr(key)
                pipeline.expireat(key, slot.ends_at + 1)
            answers = pipeline.execute(raise_on_error=False)
        except (errors.RedisError, OSError) as error:
            raise CounterUnavailable(f"{type(error).__name__}: {error}") from error
        return {
            slot.key: self._read(slot.key, count) for slot, count in zip(slots, answers[::2], strict=True)
        }

    @staticmethod
    def _read(key: str, answer: Any) -> int:  # Any: what Redis answers, an error of one command too
        errors = redis_package().exceptions

        if type(answer) is errors.ResponseError:  # what is there is no count; it expires with its window
            DROPS.drop(key, str(answer))
            return 1
        if isinstance(answer, errors.RedisError):
            raise CounterUnavailable(f"{type(answer).__name__}: {answer}") from answer
        return max(1, int(answer))


class DatabaseCounter:
    """Counts in a table: one statement."""

    def count(self, slots: Sequence[Slot]) -> Mapping[str, int]:
        """Count one request in each slot.

        Raises:
            DatabaseError: the database does not answer.
        """
        rows = sorted(slots, key=lambda slot: slot.key)  # so that requests don't wait crosswise
        table, marks = RateCount._meta.db_table, ", ".join(["(%s, %s, 1)"] * len(rows))
        # The alias: `window` is a word of SQL
        sql = f"""INSERT INTO {table} AS known (key, "window", count) VALUES {marks}
            ON CONFLICT (key) DO UPDATE SET "window" = excluded."window",
                count = CASE WHEN known."window" = excluded."window" AND known.count BETWEEN 0 AND {COUNT_MAX}
                    THEN known.count + 1 ELSE 1 END
            RETURNING key, count"""  # noqa: S608 - constants; values are parameters
        with connection.cursor() as cursor:
            cursor.execute(sql, [value for slot in rows for value in (slot.key, slot.ends_at)])
            return {str(key): int(count) for key, count in cursor.fetchall()}


def prune() -> int:
    """Remove counts of windows that ended long ago; return how many."""
    return RateCount.objects.filter(window__lt=int(time.time()) - KEPT_SECONDS).delete()[0]

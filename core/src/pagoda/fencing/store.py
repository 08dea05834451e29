"""Where breakers are kept so that all processes share them: a port, and its adapters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Protocol

from django.apps import apps
from django.core.cache import caches
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Manager

from pagoda.fencing.rows import Key, Row


class StoreUnavailable(Exception):
    """The shared store can't be used at this moment; the process decides alone."""


class StoreDown(StoreUnavailable):
    """The shared store does not answer; it is left alone for a moment."""


class Store(Protocol):
    """Keeps rows. Every method may raise `StoreUnavailable`."""

    def read_all(self) -> dict[Key, Row]:
        """Return every row."""
        ...

    def swap(self, old: Row, new: Row) -> bool:
        """Put `new` in place of `old`; False when another process has changed it since `old` was read.

        A row of version 0 is one that is not stored yet.
        """
        ...


class RedisStore:
    """Keeps rows in one hash of the shared cache, `CACHE_URL`."""

    HASH = "pagoda:breakers"
    # Django's cache has no compare-and-set, Redis does it in a script.
    SWAP = """
        local stored = redis.call('HGET', KEYS[1], ARGV[1])
        local version = 0
        if stored then version = cjson.decode(stored).version end
        if version ~= tonumber(ARGV[2]) then return 0 end
        redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
        return 1"""

    def __init__(self, alias: str = "default") -> None:
        self._alias = alias

    def read_all(self) -> dict[Key, Row]:
        """Return every row."""
        found = self._ask("hgetall", self.HASH)
        rows = [_row(json.loads(text)) for text in found.values()]
        return {row.key: row for row in rows}

    def swap(self, old: Row, new: Row) -> bool:
        """Put `new` in place of `old`, unless it changed."""
        text = json.dumps(asdict(replace(new, version=old.version + 1)))
        arguments = (f"{new.surface}:{new.plugin}", old.version, text)
        return bool(self._ask("eval", self.SWAP, 1, self.HASH, *arguments))

    def _ask(self, command: str, *args: Any) -> Any:
        """Any: what Redis takes and answers."""
        from redis.exceptions import RedisError  # not installed where no Redis is used

        try:
            client = caches[self._alias]._cache.get_client(write=True)  # type: ignore[attr-defined]  # of RedisCache  # noqa: SLF001
            return getattr(client, command)(*args)
        except (RedisError, OSError) as error:
            raise StoreDown(f"{type(error).__name__}: {error}") from error


class DatabaseStore:
    """Keeps rows in the table of `pagoda.fencing.models.Breaker`."""

    def read_all(self) -> dict[Key, Row]:
        """Return every row."""
        self._require_free()
        try:
            rows = [_row(values) for values in self._rows().values(*_FIELDS)]
        except DatabaseError as error:
            raise StoreDown(f"{type(error).__name__}: {error}") from error
        return {row.key: row for row in rows}

    def swap(self, old: Row, new: Row) -> bool:
        """Put `new` in place of `old`, unless it changed."""
        self._require_free()
        values = asdict(replace(new, version=old.version + 1))
        try:
            if old.version:
                rows = self._rows().filter(plugin=old.plugin, surface=old.surface, version=old.version)
                return bool(rows.update(**values))
            with transaction.atomic():
                self._rows().create(**values)
        except IntegrityError:
            return False  # another process made the row
        except DatabaseError as error:
            raise StoreDown(f"{type(error).__name__}: {error}") from error
        return True

    def _rows(self) -> Manager[Any]:  # Any: the model is known only below
        return apps.get_model("fencing", "Breaker")._default_manager

    def _require_free(self) -> None:
        # Inside the host's transaction it would be undone with it, and lock the row for as long.
        if connection.in_atomic_block:
            raise StoreUnavailable("a transaction is open")


_FIELDS = tuple(Row.__dataclass_fields__)


def _row(values: Mapping[str, Any]) -> Row:
    return Row(**values)

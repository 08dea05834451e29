"""Where breakers are kept so that all processes share them: a port, and its adapters."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any, Protocol

from django.apps import apps
from django.core.cache import caches
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Manager

from pagoda.config.redis_package import redis_package
from pagoda.fencing.outcomes import SURFACES
from pagoda.fencing.rows import READER, Key, Row


class StoreUnavailable(Exception):
    """The shared store can't be used at this moment; the process decides alone."""


class StoreDown(StoreUnavailable):
    """The shared store does not answer; it is left alone for a moment."""


class Store(Protocol):
    """Keeps rows. Every method may raise `StoreUnavailable`; a row that can't be read counts as none."""

    def read_all(self) -> dict[Key, Row]:
        """Return every row."""
        ...

    def swap(self, old: Row, new: Row) -> bool:
        """Put `new` in place of `old`; False when another process has changed it since `old` was read.

        A row of version 0 is one that is not stored yet.
        """
        ...


class RedisStore:
    """Keeps each row under a key of its own in the shared cache, `CACHE_URL`.

    So the account of a plugin's worker can be given its plugin's rows alone; and no more than that of Redis:
    no script, no listing of keys.
    """

    PREFIX = "pagoda:breaker:"
    LONGEST = 100_000  # bytes of a row; more is read from none

    def __init__(self, plugins: Callable[[], Iterable[str]], alias: str = "default") -> None:
        """`plugins` returns the ids of those whose rows are looked at."""
        self._plugins = plugins
        self._alias = alias

    def read_all(self) -> dict[Key, Row]:
        """Return every row."""
        keys = [(plugin, surface) for plugin in self._plugins() for surface in SURFACES]
        with self._asking() as client, client.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.getrange(self.key_of(key), 0, self.LONGEST)
            answers = pipeline.execute(raise_on_error=False)
        rows = [self._row(key, answer) for key, answer in zip(keys, answers, strict=True)]
        return {row.key: row for row in rows if row is not None}

    def swap(self, old: Row, new: Row) -> bool:
        """Put `new` in place of `old`, unless it changed."""
        errors = redis_package().exceptions

        name = self.key_of(old.key)
        text = json.dumps(asdict(replace(new, version=old.version + 1)))
        with self._asking() as client, client.pipeline() as pipeline:
            pipeline.watch(name)
            try:
                answer = pipeline.getrange(name, 0, self.LONGEST)
            except errors.ResponseError as error:
                if type(error) is not errors.ResponseError:  # about more than what is there
                    raise
                answer = error
            stored = self._row(old.key, answer)
            if (stored.version if stored else 0) != old.version:
                return False
            pipeline.multi()
            pipeline.set(name, text)
            try:
                pipeline.execute()
            except errors.WatchError:
                return False
        return True

    @classmethod
    def key_of(cls, key: Key) -> str:
        """Return where the row of a surface is."""
        return f"{cls.PREFIX}{key[0]}:{key[1]}"

    def _row(self, key: Key, answer: object) -> Row | None:
        if answer == b"":
            return None
        name = self.key_of(key)
        if isinstance(answer, bytes):
            return READER.of_json(name, answer, {"plugin": key[0], "surface": key[1]})
        READER.drop(name, f"it is no text: {answer}")
        return None

    @contextmanager
    def _asking(self) -> Iterator[Any]:  # Any: a client of Redis, which is not installed everywhere
        errors = redis_package().exceptions

        try:
            yield caches[self._alias]._cache.get_client(write=True)  # type: ignore[attr-defined]  # of RedisCache  # noqa: SLF001
        except errors.NoPermissionError as error:
            raise StoreUnavailable(f"the account of this process may not: {error}") from error
        except (errors.RedisError, OSError) as error:
            raise StoreDown(f"{type(error).__name__}: {error}") from error


class DatabaseStore:
    """Keeps rows in the table of `pagoda.fencing.models.Breaker`."""

    def read_all(self) -> dict[Key, Row]:
        """Return every row."""
        self._require_free()
        try:
            found = list(self._rows().values(*_FIELDS))
        except DatabaseError as error:
            raise StoreDown(f"{type(error).__name__}: {error}") from error
        rows = [READER.of_values(f"{values['plugin']}:{values['surface']}", values) for values in found]
        return {row.key: row for row in rows if row is not None}

    def swap(self, old: Row, new: Row) -> bool:
        """Put `new` in place of `old`, unless it changed."""
        self._require_free()
        values = asdict(replace(new, version=old.version + 1))
        mine = self._rows().filter(plugin=old.plugin, surface=old.surface)
        try:
            if old.version:
                return bool(mine.filter(version=old.version).update(**values))
            with transaction.atomic():
                self._rows().create(**values)
        except IntegrityError:  # another process made the row
            if old.key in self.read_all():
                return False
            return bool(mine.update(**values))  # there is one, and no process can read it
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

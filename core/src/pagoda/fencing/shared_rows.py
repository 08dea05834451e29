"""The breakers' rows as one process knows them: a copy of the stored ones, and what it decided alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from pagoda.fencing.rows import Key, Row
from pagoda.fencing.store import Store, StoreDown, StoreUnavailable

REFRESH_SECONDS = 1.0
"""How old the copy may get while requests and jobs come in; also the pause after the store did not answer."""

SWAP_TRIES = 5

type Change = Callable[[Row], Row]
"""Returns its argument where there is nothing to change."""


class SharedRows:
    """Reads and changes rows; `on_change` is called, under the lock, after any of them may have changed.

    `bounded` makes a row that others wrote one that may be followed.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float],
        on_change: Callable[[], None],
        bounded: Change = lambda row: row,
    ) -> None:
        self._store = store
        self._clock = clock
        self._bounded = bounded
        self._on_change = on_change
        self.has_failures = False  # any surface has failed in its window, or is out of service
        self._stored: dict[Key, Row] = {}
        self._alone: dict[Key, Row] = {}  # decided without the store, until it answers again
        self._lock = threading.RLock()
        self._read_at = float("-inf")
        self._down_until = float("-inf")

    def __getitem__(self, key: Key) -> Row:
        """Return the row of a surface, a new one where nothing ever failed."""
        return self.get(key) or self._new(key)

    def get(self, key: Key) -> Row | None:
        """Return the row of a surface, None where nothing ever failed."""
        return self._alone.get(key) or self._stored.get(key)

    def all(self) -> list[Row]:
        """Return every row, by plugin and surface."""
        rows = self._stored | self._alone
        return [rows[key] for key in sorted(rows)]

    def refresh(self, *, at_once: bool = False) -> bool:
        """Read the stored rows, unless that was done a moment ago; return whether they were asked for."""
        now = time.monotonic()
        if not at_once and now - self._read_at < REFRESH_SECONDS:
            return False
        self._read_at = now
        with suppress(StoreUnavailable):  # they stay what they were
            self.read()
        return True

    def read(self) -> None:
        """Read the stored rows.

        Raises:
            StoreUnavailable: they can't be read now.
        """
        stored = self._read_all()
        with self._changing():
            self._stored = stored

    def change(self, key: Key, change: Change) -> tuple[Row, Row]:
        """Apply `change` to the stored row, anew when others were faster; return it before and after.

        Raises:
            StoreUnavailable: nothing was stored.
        """
        row = self._stored.get(key) or self._new(key)
        for _ in range(SWAP_TRIES):
            changed = change(row)
            if changed is row or self._swap(row, changed):
                if changed is not row:
                    changed = replace(changed, version=row.version + 1)
                with self._changing():
                    self._stored[key] = changed
                    self._alone.pop(key, None)
                return row, changed
            row = self._read_all().get(key) or self._new(key)
        raise StoreUnavailable(f"others changed it {SWAP_TRIES} times meanwhile")

    def decide_alone(self, key: Key, change: Change) -> None:
        """Apply `change` in this process, until the store answers again."""
        with self._changing():
            self._alone[key] = change(self[key])

    def _read_all(self) -> dict[Key, Row]:
        return {key: self._bounded(row) for key, row in self._ask(self._store.read_all).items()}

    def _swap(self, old: Row, new: Row) -> bool:
        return self._ask(lambda: self._store.swap(old, new))

    def _ask[T](self, question: Callable[[], T]) -> T:
        if time.monotonic() < self._down_until:
            raise StoreUnavailable("it did not answer a moment ago")
        try:
            return question()
        except StoreDown:
            self._down_until = time.monotonic() + REFRESH_SECONDS
            raise

    def _new(self, key: Key) -> Row:
        now = self._clock()
        return Row(plugin=key[0], surface=key[1], since=now, window=now)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._lock:
            yield
            self.has_failures = any(
                row.has_failures for row in (*self._stored.values(), *self._alone.values())
            )
            self._on_change()

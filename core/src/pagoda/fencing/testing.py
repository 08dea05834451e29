"""A shared store for tests: in memory, and out of reach when a test says so."""

from __future__ import annotations

from dataclasses import replace

from pagoda.fencing.rows import Key, Row
from pagoda.fencing.store import StoreDown


class MemoryStore:
    """Keeps rows in this process."""

    def __init__(self) -> None:
        self.rows: dict[Key, Row] = {}
        self.is_down = False
        self.asked = 0

    def read_all(self) -> dict[Key, Row]:
        """Return every row."""
        self._ask()
        return dict(self.rows)

    def swap(self, old: Row, new: Row) -> bool:
        """Put `new` in place of `old`, unless it changed."""
        self._ask()
        stored = self.rows.get(old.key)
        if (stored.version if stored else 0) != old.version:
            return False
        self.rows[new.key] = replace(new, version=old.version + 1)
        return True

    def _ask(self) -> None:
        self.asked += 1
        if self.is_down:
            raise StoreDown("out of reach")

"""How much of the API one plugin may hold at a time: counts that all of its processes share.

Each process counts what it runs in a row of its own, in memory that the parent maps before it forks: no
request asks the kernel for a lock. A row belongs to who has locked its byte of a file without a name. The
kernel gives the lock of a process that dies back, whatever killed it, and whoever finds no slot free then
leaves out what the dead have counted.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from zlib import crc32

from pagoda.config.settings import Settings

ROWS = 128  # processes at once: twice the most that API_WORKERS allows, as old and new ones overlap
COLUMNS = 1 << 15  # places of plugins; two plugins that fall into one share it


class TooManyProcesses(RuntimeError):
    """More processes than rows serve requests."""


class Bulkhead:
    """Slots for each plugin: at most `limit` in all processes, at most `process_limit` in each.

    Make it before the processes are forked. Safe in threads.
    """

    def __init__(self, limit: int, process_limit: int) -> None:
        self.limit = limit
        self.process_limit = min(limit, process_limit)
        self._counts = mmap.mmap(-1, ROWS * COLUMNS)  # a byte per plugin and process, a plugin's side by side
        with tempfile.TemporaryFile() as file:
            self._file = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._file)
        self._lock = threading.Lock()
        self._process = self._row = -1

    @classmethod
    def of(cls, settings: Settings, *, threads: int = 1) -> Bulkhead:
        """Return one for API processes with this many threads each, a plugin's share being half."""
        all_at_once = settings.api_workers * threads
        limit = settings.plugin_max_concurrent_requests or max(1, all_at_once // 2)
        return cls(limit, max(1, threads // 2))

    @contextmanager
    def slot(self, plugin_id: str) -> Iterator[bool]:
        """Hold one of the plugin's slots inside the block; False when all are taken."""
        place = self.take(plugin_id)
        try:
            yield place is not None
        finally:
            self.give_back(place)

    def take(self, plugin_id: str) -> int | None:
        """Take one of the plugin's slots, to be given back; None when all are taken.

        Raises:
            TooManyProcesses: this process finds no row.
        """
        first = crc32(plugin_id.encode()) % COLUMNS * ROWS
        with self._lock:
            if self._process != os.getpid():
                self._row, self._process = self._own_row(), os.getpid()
            place = first + self._row
            if self._counts[place] >= self.process_limit:
                return None
            # Counted first, looked at then: two that come at once may both be turned away, never both let in.
            self._counts[place] += 1
            if self._taken(first) <= self.limit or self._taken_by_the_living(first) <= self.limit:
                return place
            self._counts[place] -= 1
        return None

    def give_back(self, place: int | None) -> None:
        """Give a slot back; None stands for none."""
        if place is None:
            return
        with self._lock:
            self._counts[place] -= 1

    def _taken(self, first: int) -> int:
        return sum(self._counts[first : first + ROWS])

    def _taken_by_the_living(self, first: int) -> int:
        """Set the counts of processes that are gone to 0, and return what is left."""
        for row, count in enumerate(self._counts[first : first + ROWS]):
            if count and row != self._row and self._locked(row):
                self._counts[first + row] = 0
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, row)
        return self._taken(first)

    def _own_row(self) -> int:
        for row in range(ROWS):
            if self._locked(row):
                self._counts[row::ROWS] = bytes(COLUMNS)  # of one that is gone
                return row
        raise TooManyProcesses(f"{ROWS} processes serve requests already; there is no row for another")

    def _locked(self, row: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, row)
        except OSError:
            return False
        return True

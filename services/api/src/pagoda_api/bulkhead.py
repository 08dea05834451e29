"""How much of the API one plugin may hold at a time: slots that all of its processes share.

A slot is a byte of a file without a name that the parent process opens and its workers inherit; who locks the
byte has the slot. The kernel gives the locks of a process that dies back, whatever killed it.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from zlib import crc32

from pagoda.config.settings import Settings

MAX_SLOTS = 1 << 16  # of one plugin


class Bulkhead:
    """Slots for each plugin: at most `limit` in all processes, at most `process_limit` in each.

    Make it before the processes are forked. Safe in threads.
    """

    def __init__(self, limit: int, process_limit: int) -> None:
        self.limit = limit
        self.process_limit = min(limit, process_limit)
        with tempfile.TemporaryFile() as file:
            self._file = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._file)
        self._lock = threading.Lock()
        self._held: set[int] = set()  # bytes; the kernel does not keep threads of a process apart

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
        """Take one of the plugin's slots, to be given back; None when all are taken."""
        first = crc32(plugin_id.encode()) * MAX_SLOTS
        with self._lock:
            mine = self._held.intersection(range(first, first + self.limit)) if self._held else ()
            if len(mine) >= self.process_limit:
                return None
            for place in range(first, first + self.limit):
                if place not in mine and self._locked(place):
                    self._held.add(place)
                    return place
        return None

    def give_back(self, place: int | None) -> None:
        """Give a slot back; None stands for none."""
        if place is None:
            return
        with self._lock:
            self._held.discard(place)
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)

    def _locked(self, place: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError:
            return False
        return True

"""What is remembered of the rows of a file that wait for others, however many there are."""

from __future__ import annotations

import sqlite3
from types import TracebackType
from typing import Self


class KeptTexts:
    """A set of texts on the disk, in a file that nobody else sees and that is gone when it is closed."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", check_same_thread=False)
        self._file.execute("CREATE TABLE kept (text TEXT PRIMARY KEY) WITHOUT ROWID")
        self._is_empty = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()

    def add(self, text: str) -> None:
        """Keep a text; twice is once."""
        self._is_empty = False
        self._file.execute("INSERT OR IGNORE INTO kept VALUES (?)", (text,))

    def __contains__(self, text: object) -> bool:
        if self._is_empty:  # asked for each row of files in which none waits
            return False
        return self._file.execute("SELECT 1 FROM kept WHERE text = ?", (text,)).fetchone() is not None

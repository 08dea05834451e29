"""Rows that other processes wrote, of another release or with the code of a plugin. One harms no other.

What a row has that its type does not know is ignored, so that releases can share a store while one replaces
the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from django.dispatch import Signal
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from pagoda_plugin_sdk.washing import washed

COUNT_MAX = 2**31 - 1
KEYS_TOLD_MAX = 1000

row_dropped = Signal()
"""Sent once per unreadable row and process. Keywords: ``table``, ``key`` (both text)."""

log = structlog.get_logger(__name__)


class Drops:
    """The rows of one table that this process leaves out: each is told once."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._told: set[str] = set()

    def drop(self, key: str, fault: str) -> None:
        """Tell of a row that is left out, unless it was told."""
        if key in self._told:
            return
        if len(self._told) >= KEYS_TOLD_MAX:
            self._told.clear()
        self._told.add(key)
        log.error("shared_row_dropped", table=self._table, key=washed(key, 200), fault=washed(fault, 500))
        row_dropped.send_robust(sender=type(self), table=self._table, key=key)

    def forget(self, key: str) -> None:
        """Tell of a row again if it is left out again."""
        self._told.discard(key)


class RowReader[T](Drops):
    """Reads the rows of one table; what is no row is dropped and told once, until it is one again."""

    def __init__(self, table: str, of: Any) -> None:  # Any: a type, or what `typing` takes for one
        super().__init__(table)
        self._adapter: TypeAdapter[T] = TypeAdapter(of)

    def of_json(self, key: str, text: bytes, known: Mapping[str, object]) -> T | None:
        """Return the row in a JSON text, None where there is none; what is `known` of it is not asked."""
        return self._read(key, lambda: self._adapter.validate_python({**_object(text), **known}))

    def of_values(self, key: str, values: object) -> T | None:
        """Return the row with these values, None where they make none."""
        return self._read(key, lambda: self._adapter.validate_python(values))

    def _read(self, key: str, read: Callable[[], T]) -> T | None:
        try:
            row = read()
        except ValueError as error:
            self.drop(key, _fault(error) if isinstance(error, ValidationError) else str(error))
            return None
        self.forget(key)
        return row


def _object(text: bytes) -> dict[str, object]:
    found: object = from_json(text)
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found


def _fault(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]

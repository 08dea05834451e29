"""Django's query language over lists, as far as plugins use it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

LOOKUPS: dict[str, Callable[[Any, Any], bool]] = {
    "exact": operator.eq,
    "iexact": lambda held, wanted: str(held).lower() == str(wanted).lower(),
    "in": lambda held, wanted: held in wanted,
    "startswith": lambda held, wanted: held is not None and str(held).startswith(wanted),
    "contains": lambda held, wanted: held is not None and wanted in held,
    "icontains": lambda held, wanted: held is not None and wanted.lower() in held.lower(),
    "gt": lambda held, wanted: held is not None and held > wanted,
    "gte": lambda held, wanted: held is not None and held >= wanted,
    "lt": lambda held, wanted: held is not None and held < wanted,
    "lte": lambda held, wanted: held is not None and held <= wanted,
    "isnull": lambda held, wanted: (held is None) is wanted,
}
"""``{look-up: test of (held, wanted)}``."""


class MemoryQuerySet:
    """Rows that are read once, when somebody looks at them; each reading is told to `on_read`.

    A manager is one too: what it derives is read anew each time.
    """

    model: type[Any]  # whose rows they are, once `MemoryHost` has made the class

    def __init__(self, read: Callable[[], Iterable[Any]], on_read: Callable[[], None]) -> None:
        self._read = read
        self._on_read = on_read
        self._rows: list[Any] | None = None  # once they were read

    def all(self) -> Self:
        return self._derived(self._read)

    def active(self) -> Self:
        """Return those that are not deleted."""
        return self.filter(is_active=True)

    def filter(self, **conditions: Any) -> Self:
        return self._derived(lambda: [row for row in self._read() if matches(row, conditions)])

    def exclude(self, **conditions: Any) -> Self:
        if not conditions:
            return self.all()  # as Django does
        return self._derived(lambda: [row for row in self._read() if not matches(row, conditions)])

    def select_related(self, *_fields: str) -> Self:
        return self.all()

    def order_by(self, *fields: str) -> Self:
        def ordered() -> list[Any]:
            rows = list(self._read())
            for field in reversed(fields):
                rows.sort(key=lambda row: value_of(row, field.lstrip("-")), reverse=field.startswith("-"))
            return rows

        return self._derived(ordered)

    def values_list(self, *fields: str, flat: bool = False) -> MemoryQuerySet:
        def values() -> list[Any]:
            rows = [tuple(value_of(row, field) for field in fields) for row in self._read()]
            return [row[0] for row in rows] if flat else rows

        return MemoryQuerySet(values, self._on_read)

    def get(self, **conditions: Any) -> Any:
        """Return the only row that meets the conditions.

        Raises:
            model.DoesNotExist, model.MultipleObjectsReturned: none does, or several do.
        """
        rows = list(self.filter(**conditions))
        if len(rows) != 1:
            error = self.model.MultipleObjectsReturned if rows else self.model.DoesNotExist
            raise error(f"{len(rows)} rows match {conditions!r}, expected 1")
        return rows[0]

    def first(self) -> Any:
        return next(iter(self.all()), None)

    def last(self) -> Any:
        return next(reversed(list(self.all())), None)

    def count(self) -> int:
        return len(self.all())

    def exists(self) -> bool:
        return len(self.all()) > 0

    def __iter__(self) -> Iterator[Any]:
        return iter(self._evaluated())

    def __len__(self) -> int:
        return len(self._evaluated())

    def __getitem__(self, index: Any) -> Any:
        return self._evaluated()[index]

    def _evaluated(self) -> list[Any]:
        if self._rows is None:
            self._on_read()
            self._rows = list(self._read())
        return self._rows

    def _derived(self, read: Callable[[], Iterable[Any]]) -> Self:
        copy = object.__new__(type(self))
        copy.__dict__ = {**self.__dict__, "_read": read, "_rows": None}
        return copy


def matches(row: Any, conditions: dict[str, Any]) -> bool:
    """Return whether `row` meets all conditions, ``{"schema__name": "Host", "id__in": [...]}``."""
    return all(_meets(row, path, wanted) for path, wanted in conditions.items())


def value_of(row: Any, path: str) -> Any:
    """Return what ``a__b`` leads to from `row`, through attributes and the keys of JSON values."""
    for part in path.split("__"):
        row = row.get(part) if isinstance(row, dict) else getattr(row, part)
        if row is None:
            return None
    return row


def _meets(row: Any, path: str, wanted: Any) -> bool:
    head, _, last = path.rpartition("__")
    if last in LOOKUPS and head:
        return LOOKUPS[last](_comparable(value_of(row, head)), _comparable(wanted))
    return bool(_comparable(value_of(row, path)) == _comparable(wanted))


def _comparable(value: Any) -> Any:
    """Return models as their ids, so that both an object and its id may be asked for."""
    if isinstance(value, list | tuple | set | frozenset):
        return [_comparable(item) for item in value]
    return value.id if hasattr(value, "id") else value

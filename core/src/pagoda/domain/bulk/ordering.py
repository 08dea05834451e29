"""Which items can be written together and end as if one was written after the other: what names decide."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from pagoda.domain.bulk.items import NAME, BulkItem
from pagoda_plugin_sdk.rules.text import clean_name


def apart(
    items: Sequence[BulkItem],
    held: Mapping[int, str],
    refers: Callable[[BulkItem], Collection[str]],
) -> Iterator[list[BulkItem]]:
    """Yield the items in their order, those together whose names have nothing to do with each other's.

    An item that takes, or by `refers` names, what one before it takes or gives up begins a part of its own.
    `held` has the clean names of the entries that are there, by `id` of the item.
    """
    part: list[BulkItem] = []
    taken: set[str | None] = set()  # or given up, by the items of the part
    moved: set[str | None] = set()  # of these the names of entries that are there
    for item in items:
        name, old = item.fields.get(NAME), held.get(id(item))
        new = clean_name(name) if isinstance(name, str) else None
        if new in taken or (moved and not moved.isdisjoint(refers(item))):
            yield part
            part, taken, moved = [], set(), set()
        part.append(item)
        if new is not None and new != old:
            taken |= {new} if old is None else {new, old}
            moved |= set() if old is None else {new, old}
    if part:
        yield part

"""Say which handlers run for an entity, in which order, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pagoda.hooks.records import HandlerRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One handler of a hook, seen from one entity."""

    record: HandlerRecord
    place: int | None  # 1 runs first; None: it does not run for this entity
    reason: str


def explain(records: Iterable[HandlerRecord], entity_name: str | None) -> Iterator[Explanation]:
    """Yield an explanation per handler, in the order in which handlers run; `records` are in that order."""
    place = 0
    for record in records:
        if record.handles(entity_name):
            place += 1
            yield Explanation(record=record, place=place, reason=_why(record))
        else:
            yield Explanation(
                record=record, place=None, reason=f"handles entity {record.entity!r}, not {entity_name!r}"
            )


def _why(record: HandlerRecord) -> str:
    entity = "all entities" if record.entity is None else f"entity {record.entity!r}"
    deferred = ", in a job after commit" if record.deferred else ""
    return f"priority {record.priority}, plugin {record.plugin_order} in load order, {entity}{deferred}"

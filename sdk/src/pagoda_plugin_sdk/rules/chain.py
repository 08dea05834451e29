"""What is deleted with an entry, by the references between entries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple


class Reference(NamedTuple):
    source: int  # who refers
    target: int
    rule: int  # the attribute of the entity
    is_part: bool  # whether the chain follows it
    on_delete: str = "null"  # what the deletion of the target does to who refers


def chain(roots: Collection[int], followed: Sequence[Reference], keeping: Sequence[Reference]) -> list[int]:
    """Return what the `followed` references lead to from the roots and none of those `keeping` keeps."""
    parts: defaultdict[int, list[int]] = defaultdict(list)
    targets: defaultdict[int, list[int]] = defaultdict(list)
    for each in keeping:
        targets[each.source].append(each.target)
    for each in followed:
        parts[each.source].append(each.target)
    reached = _steps(roots, parts)
    doomed, fixed = set(reached), set(roots)
    # What stays keeps what it refers to, and so on; what is left over is reached without them.
    staying = [each.target for each in keeping if each.source not in doomed]
    while staying:
        kept = staying.pop()
        if kept in doomed and kept not in fixed:
            doomed.remove(kept)
            staying += targets[kept]
    return [pk for pk in reached if pk in doomed]


def _steps(roots: Iterable[int], parts: dict[int, list[int]]) -> list[int]:
    reached = dict.fromkeys(roots)
    frontier = list(reached)
    while frontier:
        found = sorted({part for pk in frontier for part in parts[pk]} - reached.keys())
        reached |= dict.fromkeys(found)
        frontier = found
    return list(reached)

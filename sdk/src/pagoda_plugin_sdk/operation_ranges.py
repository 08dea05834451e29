"""The rules of PLUGIN_OPERATION_ID_CONFIG: ``{plugin name: (first id, last id)}``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.operations import PLUGIN_OPERATIONS

LOWEST, HIGHEST = PLUGIN_OPERATIONS.start, PLUGIN_OPERATIONS.stop - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A valid range of operation ids, both ends included."""

    name: str  # as the configuration names the plugin
    first: int
    last: int

    def overlaps(self, other: Range) -> bool:
        """Return whether both hold a common id."""
        return self.first <= other.last and other.first <= self.last


def range_faults(
    ranges: Mapping[str, Any], canonical: Callable[[str], str], known: Collection[str]
) -> tuple[list[str], dict[str, Range]]:
    """Return the faults of `ranges`, and ``{plugin id: range}`` of those that are right on their own."""
    faults: list[str] = []
    checked: dict[str, Range] = {}
    for name, value in ranges.items():
        plugin_id = canonical(name)
        if plugin_id not in known:
            faults.append(_unknown(name, known))
        if (fault := _value_fault(name, value)) is not None:
            faults.append(fault)
        elif plugin_id in checked:
            faults.append(
                f"{checked[plugin_id].name!r} and {name!r} are the same plugin. Keep one of the two ranges."
            )
        else:
            checked[plugin_id] = Range(name=name, first=value[0], last=value[1])
    return faults + _overlaps(checked), checked


def _unknown(name: str, known: Collection[str]) -> str:
    return (
        f"{name!r} has a range of operation ids, but no such plugin is enabled."
        f"{near_misses(name, known)} Enable it in ENABLED_PLUGINS or remove its range."
    )


def _value_fault(name: str, value: Any) -> str | None:
    if not isinstance(value, tuple | list) or len(value) != 2 or not all(map(_is_whole, value)):
        return f"The range of plugin {name!r} is {value!r}, expected [first id, last id], such as [200, 299]."
    first, last = value
    if first > last:
        return f"The range of plugin {name!r} is [{first}, {last}], first id above the last. Swap them."
    if first < LOWEST or last > HIGHEST:
        return (
            f"The range of plugin {name!r} is [{first}, {last}], outside {LOWEST}-{HIGHEST} "
            f"(1-99 are the host's, 100-199 custom operations). Choose ids from {LOWEST} to {HIGHEST}."
        )
    return None


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _overlaps(ranges: Mapping[str, Range]) -> list[str]:
    return [
        f"The ranges of plugins {one.name!r} [{one.first}, {one.last}] and {two.name!r} "
        f"[{two.first}, {two.last}] overlap. Move one of them."
        for one, two in combinations(sorted(ranges.values(), key=lambda r: (r.first, r.name)), 2)
        if one.overlaps(two)
    ]

"""Put plugins in load order: each after those it depends on."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pagoda.plugins.records import PluginRefused, ReasonCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One plugin in the graph."""

    key: str  # unique
    names: tuple[str, ...]  # what others may call it
    dependencies: tuple[str, ...] = ()  # names of others


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOrder:
    """The outcome: every node is in exactly one of the two."""

    keys: tuple[str, ...]  # in load order
    refused: Mapping[str, PluginRefused] = field(default_factory=dict)  # by key


def load_order(
    nodes: Sequence[Node], skipped: Mapping[str, str], explain_missing: Callable[[str], str]
) -> LoadOrder:
    """Return the topological order that stays closest to the order of `nodes`.

    A node with an unknown dependency or in a cycle is refused, and so is whatever depends on it.
    `skipped` is ``{name: id}`` of plugins that were refused before; `explain_missing` returns the
    sentence that says what is known of a name that is neither here nor there.
    """
    by_name = {name: node.key for node in reversed(nodes) for name in node.names}
    edges = {node.key: tuple(by_name.get(name) for name in node.dependencies) for node in nodes}
    refused: dict[str, PluginRefused] = {
        node.key: (
            dependency_skipped(node.key, skipped[name])
            if name in skipped
            else _missing(node, name, explain_missing)
        )
        for node in nodes
        for name in reversed(node.dependencies)
        if name not in by_name
    }
    _refuse_dependants(nodes, edges, refused)
    while True:
        pending = {key: tuple(filter(None, edges[key])) for key in edges if key not in refused}
        order = _sorted(pending)
        if len(order) == len(pending):
            return LoadOrder(keys=tuple(order), refused=refused)
        for key, cycle in _cycle({k: v for k, v in pending.items() if k not in order}):
            refused[key] = _in_cycle(key, cycle)
        _refuse_dependants(nodes, edges, refused)


def dependency_skipped(key: str, dependency: str) -> PluginRefused:
    """Return the refusal of a plugin whose dependency is skipped."""
    return PluginRefused(
        ReasonCode.DEPENDENCY_SKIPPED,
        f"Plugin {key!r} depends on plugin {dependency!r}, which is skipped. "
        f"Mend {dependency!r} first; its own reason tells how.",
    )


def _sorted(pending: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Kahn's algorithm with a heap on the given order; what is in or behind a cycle is left out."""
    places = {key: place for place, key in enumerate(pending)}
    waiting = {key: len(set(needs)) for key, needs in pending.items()}
    dependants: dict[str, list[str]] = {key: [] for key in pending}
    for key, needs in pending.items():
        for need in set(needs):
            dependants[need].append(key)
    ready = [(places[key], key) for key, count in waiting.items() if count == 0]
    order: list[str] = []
    while ready:
        _, key = heapq.heappop(ready)
        order.append(key)
        for dependant in dependants[key]:
            waiting[dependant] -= 1
            if waiting[dependant] == 0:
                heapq.heappush(ready, (places[dependant], dependant))
    return order


def _cycle(pending: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield ``(key, cycle from that key back to it)`` for each member of one cycle of `pending`."""
    path = [next(iter(pending))]
    while True:
        following = next(need for need in pending[path[-1]] if need in pending)
        if following in path:
            members = path[path.index(following) :]
            break
        path.append(following)
    for place, key in enumerate(members):
        yield key, (*members[place:], *members[:place], key)


def _refuse_dependants(
    nodes: Sequence[Node], edges: Mapping[str, tuple[str | None, ...]], refused: dict[str, PluginRefused]
) -> None:
    """Refuse what depends on the refused, until nothing changes."""
    found = True
    while found:
        found = False
        for node in nodes:
            skipped = next((need for need in edges[node.key] if need in refused and need != node.key), None)
            if node.key not in refused and skipped is not None:
                refused[node.key] = dependency_skipped(node.key, skipped)
                found = True


def _missing(node: Node, name: str, explain_missing: Callable[[str], str]) -> PluginRefused:
    return PluginRefused(
        ReasonCode.DEPENDENCY_MISSING,
        f"Plugin {node.key!r} depends on plugin {name!r}, which is not enabled. {explain_missing(name)}",
    )


def _in_cycle(key: str, cycle: tuple[str, ...]) -> PluginRefused:
    return PluginRefused(
        ReasonCode.DEPENDENCY_CYCLE,
        f"Plugin {key!r} depends on itself: {' -> '.join(cycle)}. "
        "Remove one of these entries from the `dependencies` of its class.",
    )

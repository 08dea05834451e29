"""Match the names in ENABLED_PLUGINS with what discovery found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pagoda.plugins.candidates import Candidate, Catalogue
from pagoda.plugins.records import PluginRefused, ReasonCode
from pagoda_plugin_sdk.exceptions import near_misses


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """What an enabled name stands for."""

    name: str  # as in ENABLED_PLUGINS
    candidate: Candidate | None = None  # None when nothing usable provides it
    refused: PluginRefused | None = None  # why it can't be used


def select(enabled: Iterable[str], catalogue: Catalogue) -> tuple[Selected, ...]:
    """Return the enabled plugins in the order of `enabled`; a plugin named twice counts once.

    When two distributions provide one entry-point name, the first found has it and the second is refused.
    """
    chosen: list[Selected] = []
    holders: dict[str, Candidate] = {}
    seen: set[Candidate] = set()
    for name in enabled:
        found = catalogue.find(name)
        if not found:
            chosen.append(Selected(name=name, refused=_absent(name, catalogue)))
        for candidate in found:
            if candidate not in seen:
                seen.add(candidate)
                holder = holders.setdefault(candidate.name, candidate)
                refused = None if holder is candidate else _second(holder, candidate)
                chosen.append(Selected(name=name, candidate=candidate, refused=refused))
    return tuple(chosen)


def duplicate_name(name: str, holder: str, second: str) -> PluginRefused:
    """Return the refusal of `second`, which claims a name that `holder` has."""
    return PluginRefused(
        ReasonCode.DUPLICATE_NAME,
        f"{second} claims the name {name!r}, which {holder} has already. "
        "Names and aliases of plugins are unique: take one of the two out of ENABLED_PLUGINS.",
    )


def _second(holder: Candidate, found: Candidate) -> PluginRefused:
    return duplicate_name(found.name, holder.label, found.label)


def _absent(name: str, catalogue: Catalogue) -> PluginRefused:
    if (broken := catalogue.suspect(name)) is not None:
        return PluginRefused(ReasonCode.BAD_METADATA, f"Plugin {name!r} can't be used. {broken.fault}")
    return PluginRefused(ReasonCode.NOT_FOUND, _not_found(name, catalogue))


def _not_found(name: str, catalogue: Catalogue) -> str:
    hint = near_misses(name, catalogue.names())
    installed = ", ".join(sorted(c.name for c in catalogue.candidates)) or "none"
    return (
        f"ENABLED_PLUGINS names {name!r}, but no installed distribution provides such a plugin.{hint} "
        f"Installed plugins: {installed}. Install it or correct the name."
    )

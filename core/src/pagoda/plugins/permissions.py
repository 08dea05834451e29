"""What plugins ask for beside their users' rights, and what of it the operator granted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pagoda_plugin_sdk.permissions import Permission

type PluginPermissions = Mapping[str, Sequence[str]]
"""``{plugin id or alias: permissions}``, as in PLUGIN_PERMISSIONS."""


@dataclass(frozen=True, slots=True)
class PluginGrants:
    """The permissions of one plugin."""

    asked: tuple[Permission, ...] = ()
    granted: tuple[Permission, ...] = ()

    @property
    def effective(self) -> frozenset[Permission]:
        """Return what it may use: what was asked for and granted, the narrower of the two."""
        pairs = [(asked, granted) for asked in self.asked for granted in self.granted]
        narrower = {asked for asked, granted in pairs if granted.covers(asked)}
        return frozenset(narrower | {granted for asked, granted in pairs if asked.covers(granted)})

    @property
    def missing(self) -> tuple[Permission, ...]:
        """Return what it asks for and was not granted, or not for every entity that it asks for."""
        return tuple(each for each in self.asked if not any(known.covers(each) for known in self.granted))

    @property
    def unused(self) -> tuple[Permission, ...]:
        """Return what was granted although it does not ask for it."""
        return tuple(
            each
            for each in self.granted
            if not any(known.covers(each) or each.covers(known) for known in self.asked)
        )


def grants_of(asked: Iterable[str], names: Iterable[str], configured: PluginPermissions) -> PluginGrants:
    """Return the permissions of the plugin that is known by `names`."""
    granted = [text for name in names for text in configured.get(name, ())]
    return PluginGrants(_parsed(asked), _parsed(granted))


def line_to_add(plugin_id: str, missing: Sequence[Permission]) -> str:
    """Return what grants `missing`, as it is written into PLUGIN_PERMISSIONS."""
    return json.dumps({plugin_id: [str(each) for each in missing]}, ensure_ascii=False)


def _parsed(texts: Iterable[str]) -> tuple[Permission, ...]:
    return tuple(sorted({Permission.parse(text) for text in texts}))

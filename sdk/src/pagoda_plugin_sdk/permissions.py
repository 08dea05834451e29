"""What a plugin may ask for beside its user's rights: the vocabulary of `Plugin.permissions`.

A permission is a text: ``"entry:read"``, limited to one entity by its name ``"entry:read:Switch"``, or to one
plugin ``"job:submit:inventory"``. The operator grants in the same words (PLUGIN_PERMISSIONS).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Self

from pagoda_plugin_sdk.exceptions import PluginValidationError, near_misses

KINDS: Final = {
    "entry:read": "read entries and their entities",
    "entry:write": "create, change, delete and restore entries",
    "entity:write": "create, change, delete and restore entities",
    "user:read": "read users, groups and roles",
    "job:submit": "submit jobs of another plugin, which is named: `job:submit:<plugin>`",
    "network": "reach the network outside from its worker, on Kubernetes, by the chart's NetworkPolicy",
}
"""``{kind: what it lets a plugin do}``"""

LIMITED_TO_ENTITIES: Final = frozenset({"entry:read", "entry:write", "entity:write"})
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """One thing that a plugin asks for, or is granted."""

    kind: str  # of `KINDS`
    name: str = ""  # of the only entity, or the plugin, that it is for; "": all

    @classmethod
    def parse(cls, text: object) -> Self:
        """Return the permission that `text` stands for.

        Raises:
            PluginValidationError: it stands for none; the nearest kinds are given.
        """
        if not isinstance(text, str) or not text or len(text) > _LONGEST:
            raise PluginValidationError(f"{str(text)[:_LONGEST]!r} is no permission, expected {_expected()}")
        first, _, rest = text.partition(":")
        second, has_name, name = rest.partition(":")
        kind = first if not rest else f"{first}:{second}"
        if kind not in KINDS:
            raise PluginValidationError(
                f"{text!r} is no permission, expected {_expected()}.{near_misses(kind, KINDS)}"
            )
        if kind == "job:submit" and not name:
            raise PluginValidationError(f"{text!r} names no plugin, expected `job:submit:<plugin>`")
        if has_name and (not name or kind not in (*LIMITED_TO_ENTITIES, "job:submit")):
            raise PluginValidationError(f"{text!r} can't be limited like this, expected {kind!r} alone")
        return cls(kind, name)

    def covers(self, other: Permission) -> bool:
        """Return whether who has this one has the other one, too."""
        return self.kind == other.kind and self.name in ("", other.name)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind


def permission_faults(value: Any) -> Iterator[str]:
    """Yield what is wrong with a list of permissions; Any: whatever somebody wrote."""
    if not isinstance(value, list | tuple):
        yield f"`permissions` is {value!r}, expected a list of strings"
        return
    for item in value:
        try:
            Permission.parse(item)
        except PluginValidationError as error:
            yield f"`permissions`: {error}"


def _expected() -> str:
    return f"one of {', '.join(KINDS)}"

"""A plugin that acts for itself, within what it was granted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, NoReturn

from django.core.exceptions import PermissionDenied
from django.dispatch import Signal

from pagoda_plugin_sdk.exceptions import PluginSecurityError
from pagoda_plugin_sdk.permissions import Permission

READING: Final = {
    "entry": ("entry:read", "entry:write"),
    "entity": ("entry:read", "entry:write", "entity:write"),
}
"""What lets a plugin read the things of a kind: who may write them, or what is in them, reads them."""


class BeyondAuthority(PluginSecurityError, PermissionDenied):
    """A plugin did what neither its user's rights nor its own allow: 403."""


used = Signal()
"""Sent for each use of a permission, with ``plugin``, its id, and ``what`` it used."""

refused = Signal()
"""Sent for each refusal, with ``plugin``, its id, and ``what`` it wanted: a permission, or a few words."""


def beyond(plugin_id: str, what: str, text: str) -> NoReturn:
    """Refuse what a plugin may not do; `text` goes on after its name.

    Raises:
        BeyondAuthority: always.
    """
    refused.send(BeyondAuthority, plugin=plugin_id, what=what)
    raise BeyondAuthority(f"Plugin {plugin_id!r} {text}.")


@dataclass(frozen=True, slots=True)
class PluginAuthority:
    """The rights of a plugin: what it asked for and was granted. It stands where a user does."""

    plugin_id: str
    permissions: frozenset[Permission] = field(default_factory=frozenset)

    is_authenticated: ClassVar[bool] = False
    is_active: ClassVar[bool] = True
    is_superuser: ClassVar[bool] = False
    pk: ClassVar[None] = None

    def get_username(self) -> str:
        """Return how texts call it."""
        return f"plugin {self.plugin_id}"

    def names(self, *kinds: str) -> frozenset[str] | None:
        """Return the names of the entities for which one of the kinds was granted; None: all."""
        granted = frozenset(each.name for each in self.permissions if each.kind in kinds)
        return None if "" in granted else granted

    def require(self, kind: str, name: str = "") -> None:
        """Refuse unless the permission was granted, for `name` where there is one.

        Raises:
            BeyondAuthority: it was not.
        """
        self.require_one_of((kind,), name)

    def require_one_of(self, kinds: Sequence[str], name: str = "") -> None:
        """Refuse unless one of the kinds was granted, for `name` where there is one; else for any at all.

        Raises:
            BeyondAuthority: none was.
        """
        found = [each for each in self.permissions if each.kind in kinds and name in (each.name or name, "")]
        if not found:
            self.refuse(Permission(kinds[0], name))
        for each in found:
            used.send(type(self), plugin=self.plugin_id, what=str(each))

    def refuse(self, wanted: Permission) -> NoReturn:
        """Refuse a use of what was not granted.

        Raises:
            BeyondAuthority: always; it says what would grant it.
        """
        beyond(
            self.plugin_id,
            str(wanted),
            f"acts for itself and was not granted {str(wanted)!r}. Declare it in `Plugin.permissions`, and "
            f"grant it in PLUGIN_PERMISSIONS",
        )

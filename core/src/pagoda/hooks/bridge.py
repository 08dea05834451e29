"""From changes to hooks: the host's only receiver of the domain's change signals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.dispatch import Signal

from pagoda.domain import changes
from pagoda.domain.acting import acting_user
from pagoda.domain.changes import Change
from pagoda.hooks.manager import HookManager, manager
from pagoda_plugin_sdk.hooks import HOOK_SPECS

if TYPE_CHECKING:
    from pagoda.domain.entity.models import Entity
    from pagoda.domain.entry.models import Entry

type AttrInfo = list[dict[str, Any]]  # [{"id", "name", "type", "value", ...}]; Any: JSON values


class Bridge:
    """Runs one manager's hooks for the domain's changes, in the thread of the change."""

    def __init__(self, hooks: HookManager) -> None:
        self._hooks = hooks
        self._receivers: dict[Signal, Callable[..., Any]] = {
            changes.changing: self.before,
            changes.validating: self.validate,
            changes.changed: self.after,
            changes.awaited: self.awaits,
        }

    def connect(self) -> None:
        """Receive the domain's signals; a bridge that did so before gives way."""
        self.disconnect()
        for signal, receiver in self._receivers.items():
            signal.connect(receiver, weak=False, dispatch_uid=__name__)

    def disconnect(self) -> None:
        """Let no bridge receive the domain's signals."""
        for signal in self._receivers:
            signal.disconnect(dispatch_uid=__name__)

    def before(self, *, change: Change, **_signal: object) -> None:
        """Run the before-hook of a change, which takes over the data that a transform hook returns.

        Raises:
            RejectedByPlugin: a handler refused the write.
        """
        data = self._run(f"{change.subject}.before_{change.action}", change, is_pending=True)
        change.data = change.data if data is None else data

    def validate(self, *, change: Change, **_signal: object) -> None:
        """Run ``entry.validate`` on a complete entry.

        Raises:
            RejectedByPlugin: a handler refused the write.
        """
        self._run("entry.validate", change, is_pending=True)

    def after(self, *, change: Change, **_signal: object) -> None:
        """Run the after-hook of a change."""
        self._run(f"{change.subject}.after_{change.action}", change, is_pending=False)

    def awaits(self, *, subject: str, action: str, entity_name: str, **_signal: object) -> set[Signal]:
        """Return at which of the domain's signals of such changes handlers run."""
        hooks = {
            f"{subject}.before_{action}": changes.changing,
            f"{subject}.validate": changes.validating,
            f"{subject}.after_{action}": changes.changed,
        }
        return {hooks[name] for name in self._hooks.heard(hooks.keys() & HOOK_SPECS.keys(), entity_name)}

    def _run(self, hook: str, change: Change, *, is_pending: bool) -> Any:
        """Any: what the hook returns."""
        if hook not in HOOK_SPECS:
            return None  # restoring an entity has no hooks
        user = change.user or acting_user()
        values = {
            "user": user,
            "entity_name": change.entity_name,
            "schema_name": change.entity_name,
            "name": change.data.get("name"),
            "attrs": change.data.get("attrs"),
            "validated_data": change.data,
            "instance": change.instance,
            change.subject: change.instance,
        }
        arguments = [values[name] for name in HOOK_SPECS[hook].arguments]
        return self._hooks.execute_remembering(
            (user, change.instance), hook, *arguments, entity_name=change.entity_name, is_pending=is_pending
        )


def filter_entry_attrs(entry: Entry, attrinfo: AttrInfo, is_retrieve: bool) -> AttrInfo:
    """Return the attributes to show of an entry, as the ``entry.get_attrs`` handlers leave them.

    `is_retrieve` tells a single entry from a list of many.
    """
    hooks = manager()
    if not hooks.has_handlers("entry.get_attrs"):
        return attrinfo  # spares the query for the entity, where it is not loaded
    shown: AttrInfo = hooks.execute_remembering(
        (entry,),
        "entry.get_attrs",
        entry,
        attrinfo,
        is_retrieve,
        entity_name=entry.schema.name,
        is_pending=True,
    )
    return shown


def filter_entity_attrs(entity: Entity, attrinfo: AttrInfo) -> AttrInfo:
    """Return the attributes to show of an entity, as the ``entity.get_attrs`` handlers leave them."""
    shown: AttrInfo = manager().execute_remembering(
        (entity,), "entity.get_attrs", entity, attrinfo, entity_name=entity.name, is_pending=True
    )
    return shown

"""From changes to hooks: the host's only receiver of the domain's change signals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from pagoda.domain import changes
from pagoda.domain.acting import acting_user
from pagoda.domain.changes import Action, Change, Subject
from pagoda.hooks import runtime
from pagoda.hooks.compiled import Runner
from pagoda.hooks.dispatcher import Dispatcher
from pagoda.hooks.manager import HookManager

if TYPE_CHECKING:
    from pagoda.domain.entity.models import Entity
    from pagoda.domain.entry.models import Entry
    from pagoda.domain.user.models import User

type AttrInfo = list[dict[str, Any]]  # [{"id", "name", "type", "value", ...}]; Any: JSON values

type _Phase = Literal["before", "after"]
type _Call = Callable[[Runner, Change], None]

_SIGNALS = MappingProxyType(
    {"before": changes.changing, "validate": changes.validating, "after": changes.changed}
)


class Bridge:
    """Runs one manager's hooks for the domain's changes, in the thread of the change."""

    def __init__(self, manager: HookManager) -> None:
        self._validate = manager.dispatcher("entry.validate")
        self._routes: Mapping[tuple[Subject, _Phase, Action], tuple[Dispatcher, _Call]] = {
            (subject, phase, action): (manager.dispatcher(f"{subject}.{phase}_{action}"), call)
            for (subject, phase, action), call in _CALLS.items()
        }

    def connect(self) -> None:
        """Receive the domain's signals; a bridge that did so before gives way."""
        self.disconnect()
        for name, signal in _SIGNALS.items():
            signal.connect(getattr(self, name), weak=False, dispatch_uid=_uid(name))

    def disconnect(self) -> None:
        """Let no bridge receive the domain's signals."""
        for name, signal in _SIGNALS.items():
            signal.disconnect(dispatch_uid=_uid(name))

    def before(self, *, change: Change, **_signal: object) -> None:
        """Run the before-hook of a change, which takes over the data that a transform hook returns.

        Raises:
            RejectedByPlugin: a handler refused the write.
        """
        self._run("before", change)

    def after(self, *, change: Change, **_signal: object) -> None:
        """Run the after-hook of a change."""
        self._run("after", change)

    def validate(self, *, change: Change, **_signal: object) -> None:
        """Run ``entry.validate`` on a complete entry.

        Raises:
            RejectedByPlugin: a handler refused the write.
        """
        name, data = change.entity_name, change.data
        self._validate(name, _user(change), name, data["name"], data["attrs"], change.instance)

    def _run(self, phase: _Phase, change: Change) -> None:
        route = self._routes.get((change.subject, phase, change.action))
        if route is None:
            return  # restoring an entity has no hooks
        dispatcher, call = route
        try:
            run = dispatcher.runners[change.entity_name]
        except KeyError:
            run = dispatcher.resolve(change.entity_name)
        call(run, change)


def filter_entry_attrs(entry: Entry, attrinfo: AttrInfo, is_retrieve: bool) -> AttrInfo:
    """Return the attributes to show of an entry, as the ``entry.get_attrs`` handlers leave them.

    `is_retrieve` tells a single entry from a list of many.
    """
    dispatcher = runtime.manager().dispatcher("entry.get_attrs")
    if not dispatcher.has_handlers:
        return attrinfo  # spares the query for the entity, where it is not loaded
    shown: AttrInfo = dispatcher(entry.schema.name, entry, attrinfo, is_retrieve)
    return shown


def filter_entity_attrs(entity: Entity, attrinfo: AttrInfo) -> AttrInfo:
    """Return the attributes to show of an entity, as the ``entity.get_attrs`` handlers leave them."""
    shown: AttrInfo = runtime.manager().dispatcher("entity.get_attrs")(entity.name, entity, attrinfo)
    return shown


def _user(change: Change) -> User | None:
    return change.user or acting_user()


def _uid(name: str) -> str:
    return f"pagoda.hooks.bridge.{name}"


def _tell_of_entry(run: Runner, change: Change) -> None:
    run(change.entity_name, _user(change), change.instance)


def _tell_of_entity(run: Runner, change: Change) -> None:
    run(_user(change), change.instance)


def _transform_new_entry(run: Runner, change: Change) -> None:
    change.data = run(change.entity_name, _user(change), change.data)


def _transform_entry(run: Runner, change: Change) -> None:
    change.data = run(change.entity_name, _user(change), change.data, change.instance)


def _transform_new_entity(run: Runner, change: Change) -> None:
    change.data = run(_user(change), change.data)


def _transform_entity(run: Runner, change: Change) -> None:
    change.data = run(_user(change), change.data, change.instance)


# How each lifecycle hook is called: the positional arguments of its spec.
_CALLS: Mapping[tuple[Subject, _Phase, Action], _Call] = MappingProxyType(
    {
        ("entry", "before", "create"): _transform_new_entry,
        ("entry", "after", "create"): _tell_of_entry,
        ("entry", "before", "update"): _transform_entry,
        ("entry", "after", "update"): _tell_of_entry,
        ("entry", "before", "delete"): _tell_of_entry,
        ("entry", "after", "delete"): _tell_of_entry,
        ("entry", "before", "restore"): _tell_of_entry,
        ("entry", "after", "restore"): _tell_of_entry,
        ("entity", "before", "create"): _transform_new_entity,
        ("entity", "after", "create"): _tell_of_entity,
        ("entity", "before", "update"): _transform_entity,
        ("entity", "after", "update"): _tell_of_entity,
        ("entity", "before", "delete"): _tell_of_entity,
        ("entity", "after", "delete"): _tell_of_entity,
    }
)

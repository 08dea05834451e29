"""Changes of entities and entries, told exactly once each.

``changing`` is sent before a change and may replace its data or refuse it; ``validating`` gets the complete
entry before it is stored and may refuse it; ``changed`` is sent once per changed object, when everything is
stored. The hooks bridge is their only receiver in the host. ``recorded`` comes before ``changed``, once for
all changes of a scope together: the audit log receives it. ``awaited`` asks at which of these signals there
is anything to do, so that a write of many needs not make up what nobody sees.

A write service opens a `change_scope`, by `writing`: what happens inside is marked, and ``changed`` goes out
at the end of the outermost scope. Outside of a scope each plain ``save()`` and ``delete()`` is a change of
its own (`pagoda.domain.tracking`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

from django.apps import apps
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model, ProtectedError, RestrictedError
from django.dispatch import Signal

from pagoda import running
from pagoda.domain.acting import acting_as, acting_authority, acting_user
from pagoda.domain.stamped import TrackedModel
from pagoda.domain.user.models import User
from pagoda.domain.user.permissions import Viewer, acting_viewer, person, require_acting_for
from pagoda_plugin_sdk.rules.saying import say

type Subject = Literal["entry", "entity"]
type Action = Literal["create", "update", "delete", "restore"]

changing = Signal(use_caching=True)
validating = Signal(use_caching=True)
changed = Signal(use_caching=True)
recorded = Signal()
awaited = Signal()
SENT = frozenset({changing, validating, changed})

# What the changes of one object in one scope amount to, by the first of them and whether the object is gone
# in the end; None: it ends as it began.
_NET: dict[tuple[Action, bool], Action | None] = {
    ("create", False): "create",
    ("create", True): None,
    ("update", False): "update",
    ("update", True): "delete",
    ("delete", True): "delete",
    ("delete", False): "update",
    ("restore", False): "restore",
    ("restore", True): None,
}


@dataclass(slots=True, kw_only=True)
class Change:
    """One change of one entity or entry."""

    subject: Subject
    action: Action
    instance: TrackedModel | None  # None before it exists: `changing` and `validating` of a create
    user: User | None  # who acts; None when nobody does
    data: dict[str, Any]  # what is to change, by field (Any: raw input); receivers may replace it
    entity_name: str  # the entity's name as stored: what the hooks' entity filter matches


@dataclass(slots=True)
class _Mark:
    """All changes of one object in one scope."""

    change: Change  # the latest, with the data of all
    first: Action
    is_gone: bool

    def add(self, change: Change) -> None:
        change.data = _merged(self.change.data, change.data)
        self.change = change
        self.is_gone = change.action == "delete" or (self.is_gone and change.action == "update")

    def net(self) -> Change | None:
        action = _NET[self.first, self.is_gone]
        if action == self.change.action:
            return self.change
        return None if action is None else replace(self.change, action=action)


@dataclass(slots=True)
class _Scope:
    marks: dict[tuple[Subject, Any], _Mark] = field(default_factory=dict)

    def mark(self, change: Change) -> None:
        key = _key(change)
        known = self.marks.get(key)
        if known is None:
            self.marks[key] = _Mark(change, change.action, change.action == "delete")
        else:
            known.add(change)


_current: ContextVar[_Scope | None] = ContextVar("pagoda_change_scope", default=None)
_count: ContextVar[int] = ContextVar("pagoda_change_count", default=0)
_is_trial: ContextVar[bool] = ContextVar("pagoda_change_trial", default=False)
_is_all_or_none: ContextVar[bool] = ContextVar("pagoda_change_all_or_none", default=False)
_storing: ContextVar[TrackedModel | None] = ContextVar("pagoda_storing", default=None)


@contextmanager
def untold() -> Iterator[None]:
    """Tell nobody of what is stored in the block: it is undone, and was tried to see whether it would do."""
    token = _is_trial.set(True)
    try:
        yield
    finally:
        _is_trial.reset(token)


@contextmanager
def without_savepoints() -> Iterator[None]:
    """Have the host's own change scopes in the block be no savepoints: what one refuses ends the transaction.

    For a transaction of thousands of scopes: PostgreSQL keeps what each savepoint took of memory to its end.
    """
    token = _is_all_or_none.set(True)
    try:
        yield
    finally:
        _is_all_or_none.reset(token)


def has_savepoints() -> bool:
    """Return whether a change scope inside of another can be undone alone."""
    return not (_is_all_or_none.get() and running.is_plain())


def awaited_of(subject: Subject, action: Action, entity_name: str) -> frozenset[Signal]:
    """Return the signals of such changes, of that entity, whose receivers do something then, or don't say."""
    # Any: what receivers return, a set of signals each
    answers: list[tuple[Any, Any]] = awaited.send(
        sender=Change, subject=subject, action=action, entity_name=entity_name
    )
    unsaid = frozenset(each for each in SENT if len(each.receivers) > len(answers))
    return unsaid.union(*(answer for _, answer in answers))


def in_scope() -> bool:
    """Return whether a change scope is open in this thread or task."""
    return _current.get() is not None


@contextmanager
def change_scope() -> Iterator[None]:
    """Collect the changes made inside the block and send ``changed`` once for each object at its end.

    The block is one transaction, and ``changed`` is sent inside of it, after the scope was closed: what a
    receiver writes is a change of its own. A nested block joins the outer one and is a savepoint. An
    exception undoes the block and drops its marks.
    """
    outer = _current.get()
    scope = _Scope()
    with transaction.atomic(savepoint=has_savepoints()):
        token = _current.set(scope)
        try:
            yield
        finally:
            _current.reset(token)
        net = [change for mark in scope.marks.values() if (change := mark.net()) is not None]
        if outer is None:
            _tell(net)
        else:
            for change in net:
                outer.mark(change)


@contextmanager
def writing(user: Viewer | None) -> Iterator[Viewer | None]:
    """Write as `user` in one change scope and yield whose rights decide: without a user, of whoever acts.

    Plugin code writes as the acting user, or on its own authority.

    Raises:
        BeyondAuthority: it names another user.
        ValidationError: somebody else wrote the same thing at the same moment; nothing is stored.
    """
    acting = person(user) or acting_user()
    viewer: Viewer | None = acting
    if not running.is_plain():
        require_acting_for(user)
        viewer = acting_viewer()
    try:
        with acting_as(acting), change_scope():
            yield viewer
    except (ProtectedError, RestrictedError):  # somebody's hard delete: no clash
        raise
    except IntegrityError as err:
        message = say(
            "The write clashes with another one of this moment; look at what is stored now and try again."
        )
        raise ValidationError({NON_FIELD_ERRORS: ValidationError(message, code="clash")}) from err


def mark(change: Change) -> None:
    """Note a change that a service made, to be told at the end of the open scope.

    Raises:
        RuntimeError: no scope is open, so nobody would ever be told.
    """
    scope = _current.get()
    if scope is None:
        raise RuntimeError(
            f"{change.action} of {change.subject} {change.instance!r} was marked outside of a change scope; "
            "open one with `with change_scope():` around the write"
        )
    _count.set(_count.get() + 1)
    scope.mark(change)


def tell(change: Change) -> None:
    """Tell what was stored: at the end of the open scope, at once when there is none."""
    if in_scope():
        mark(change)
    else:
        _count.set(_count.get() + 1)
        _tell([change])


def count() -> int:
    """Return how many changes this thread or task has made; while it stays equal, nothing was written."""
    return _count.get()


def store(change: Change, **options: Any) -> None:
    """Save a service's object, whose ``changing`` was sent, and mark the change; `options` are save()'s."""
    if change.instance is None:
        raise RuntimeError(f"{change.action} of {change.subject} has no object to store")
    token = _storing.set(change.instance)
    try:
        change.instance.save(**options)
    finally:
        _storing.reset(token)
    mark(change)


def is_storing(instance: TrackedModel) -> bool:
    """Return whether `store` is saving this very object, so that its signals tell nothing new."""
    return _storing.get() is instance


def send_changing(change: Change) -> dict[str, Any]:
    """Tell the receivers what is about to change and return the data as they leave it; one may raise.

    Raises:
        BeyondAuthority: see `require_granted`.
    """
    require_granted(change.subject, change.entity_name)
    changing.send(sender=_sender(change.subject), change=change)
    return change.data


def require_granted(subject: Subject, entity_name: str) -> None:
    """Refuse what a plugin on its own authority was not granted: to write the subject, of that entity.

    Raises:
        BeyondAuthority: it was not.
    """
    authority = acting_authority()
    if authority is not None:
        authority.require(f"{subject}:write", entity_name)


def send_validating(change: Change) -> None:
    """Show the receivers the entry to be, ``{"name", "attrs": [{"id", "name", "value"}]}``; one may raise."""
    validating.send(sender=_sender(change.subject), change=change)


def send_changed(change: Change) -> None:
    """Tell the receivers what has been stored."""
    changed.send(sender=_sender(change.subject), change=change)


def _tell(stored: Sequence[Change]) -> None:
    """Tell what has been stored: of all together, then of each."""
    if _is_trial.get():
        return
    if stored:
        recorded.send(sender=Change, changes=stored)
    for change in stored:
        send_changed(change)


def _merged(earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    merged = earlier | later
    if "attrs" in earlier and "attrs" in later:
        by_name = {item["name"]: item for item in [*earlier["attrs"], *later["attrs"]]}
        merged["attrs"] = list(by_name.values())
    return merged


def _key(change: Change) -> tuple[Subject, Any]:  # Any: a primary key
    key = None if change.instance is None else change.instance.pk
    if key is None:
        raise RuntimeError(f"{change.action} of {change.subject} was marked before the object was stored")
    return change.subject, key


@cache
def _sender(subject: Subject) -> type[Model]:
    return apps.get_model(subject, subject.capitalize())

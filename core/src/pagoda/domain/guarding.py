"""The receivers behind every write of users, groups, roles and tokens: they have the rights decided.

As signals they hold for API, admin, plugins and jobs alike. Rows that go along with another one are not asked
for: that one was. They decide as the host, who sees all rows, also where plugin code writes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy
from typing import Any, Final

from django.contrib.auth.models import Group, Permission
from django.db.models import Model, QuerySet
from django.db.models.signals import m2m_changed, pre_delete, pre_save

from pagoda import running
from pagoda.domain.access import accounts
from pagoda.domain.authority import beyond
from pagoda.domain.user.models import ApiToken, GroupNesting, Role, RolePermission, User, updating
from pagoda.domain.user.permissions import acting_viewer

MODELS: Final[tuple[type[Model], ...]] = (User, Group, GroupNesting, Role, RolePermission, ApiToken)
_LINKS: Final[tuple[tuple[Any, type[Model]], ...]] = (  # Any: the models that Django makes for them
    (Role.users.through, Role),
    (Role.groups.through, Role),
    (User.groups.through, Group),
    (User.user_permissions.through, Permission),
    (Group.permissions.through, Permission),
)
"""``(the model of a many-to-many field, the side that gives the other one what it has)``"""

_NOT_ASKED: Final = frozenset({"last_login", "session_salt"})
"""What a login stores, and what follows from the other fields."""


def guard() -> None:
    """Ask from now on; calling it again changes nothing."""
    for model in MODELS:
        uid = f"pagoda.guarding.{model._meta.label}"
        pre_save.connect(_before_save, sender=model, dispatch_uid=uid)
        pre_delete.connect(_before_delete, sender=model, dispatch_uid=uid)
    updating.connect(_before_update, dispatch_uid="pagoda.guarding.updating")
    for through, giving in _LINKS:
        uid = f"pagoda.guarding.{through.__name__}"
        m2m_changed.connect(_linking(giving), sender=through, weak=False, dispatch_uid=uid)


def _asked(instance: object = None) -> User | None:
    """Return who is to be asked for a right; None: nobody acts, or a superuser.

    Where they change their own object, `instance`, what they are is what is stored of them.

    Raises:
        BeyondAuthority: plugin code, for nobody or on its own authority, which includes no such right.
    """
    user = acting_viewer()
    if user is not None and not isinstance(user, User):
        why = "can't change users, groups, roles and tokens on its own, nor for somebody who is not logged in"
        beyond(running.plugin() or "", "change users", why)
    if user is not None and user is instance:
        user = User.objects.filter(pk=user.pk).first() or user
    return None if user is None or (user.is_superuser and user.is_active) else user


@running.as_host()
def _before_save(
    *, sender: type[Model], instance: Any, raw: bool, update_fields: Collection[str] | None, **_signal: object
) -> None:
    if raw or (update_fields is not None and not set(update_fields) - _NOT_ASKED):
        return
    user = _asked(instance)
    if user is None:
        return
    stored = sender._base_manager.filter(pk=instance.pk).first() if instance.pk else None
    fields = [
        field
        for field in sender._meta.concrete_fields
        if update_fields is None or {field.name, field.attname} & set(update_fields)
    ]
    changed = {
        field.name
        for field in fields
        if stored is None
        or field.to_python(getattr(instance, field.attname)) != getattr(stored, field.attname)
    } - _NOT_ASKED
    if isinstance(instance, User) and instance.is_rehashing:
        changed -= {"password"}
    if changed:
        accounts.require_storing(user, instance, changed, stored)


@running.as_host()
def _before_update(*, users: QuerySet[User], values: Mapping[str, Any], **_signal: object) -> None:
    changed = values.keys() - _NOT_ASKED
    user = _asked() if changed else None
    if user is None:
        return
    for stored in users:
        row = copy(stored)
        for name, value in values.items():
            setattr(row, name, value)
        accounts.require_storing(user, row, changed, stored)


@running.as_host()
def _before_delete(*, sender: type[Model], instance: Model, origin: Any, **_signal: object) -> None:
    user = _asked()
    begun_with = origin.model if isinstance(origin, QuerySet) else type(origin)
    if user is not None and begun_with is sender:
        accounts.require_removing(user, instance)


def _linking(giving: type[Model]) -> Any:  # Any: a receiver
    @running.as_host()
    def changing(*, instance: Model, action: str, pk_set: Collection[Any] | None, **_signal: object) -> None:
        if not action.startswith("pre_") or (action != "pre_clear" and not pk_set):
            return
        user = _asked()
        if user is None:
            return
        accounts.require_one_of(user, type(instance), "add", "change")
        if action == "pre_add":
            given = [instance.pk] if isinstance(instance, giving) else [*(pk_set or ())]
            match giving.__name__:
                case "Role":
                    accounts.require_giving(user, Role.objects.filter(pk__in=given))
                case "Group":
                    accounts.require_giving_groups(user, given)
                case _:
                    accounts.require_giving_permissions(user, Permission.objects.filter(pk__in=given))

    return changing

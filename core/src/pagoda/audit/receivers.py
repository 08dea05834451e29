"""From the signals of the domain and of Django to events."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from django.contrib.auth import signals as auth
from django.contrib.auth.models import Group
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save
from django.http import HttpRequest

from pagoda import running
from pagoda.audit.actions import Action
from pagoda.audit.failed_logins import count_failure
from pagoda.audit.recording import Record, record, record_all
from pagoda.domain import changes
from pagoda.domain.acting import acting_user
from pagoda.domain.changes import Change
from pagoda.domain.search.models import SavedSearch
from pagoda.domain.user.models import ApiToken, GroupNesting, Role, RolePermission, User

NOT_TOLD = frozenset({"last_login"})
"""Fields that a login stores: it is an event of its own."""

_KINDS: Mapping[type[Model], tuple[str, Mapping[str, Action]]] = {
    User: (
        "user",
        {"create": Action.USER_CREATED, "update": Action.USER_UPDATED, "delete": Action.USER_DELETED},
    ),
    Group: (
        "group",
        {"create": Action.GROUP_CREATED, "update": Action.GROUP_UPDATED, "delete": Action.GROUP_DELETED},
    ),
    GroupNesting: ("group", dict.fromkeys(("create", "update", "delete"), Action.GROUP_RIGHTS_CHANGED)),
    Role: (
        "role",
        {"create": Action.ROLE_CREATED, "update": Action.ROLE_UPDATED, "delete": Action.ROLE_DELETED},
    ),
    RolePermission: (
        "permission",
        {
            "create": Action.PERMISSION_GRANTED,
            "update": Action.PERMISSION_CHANGED,
            "delete": Action.PERMISSION_REVOKED,
        },
    ),
    ApiToken: ("token", {"create": Action.TOKEN_MADE, "delete": Action.TOKEN_REVOKED}),
    SavedSearch: (
        "search",
        dict.fromkeys(("create", "update"), Action.SEARCH_SAVED) | {"delete": Action.SEARCH_DELETED},
    ),
}
"""``{model: (type of subject, {what happened to a row: event})}``"""

_MEMBERSHIPS: Sequence[
    tuple[Any, Action, str]
] = (  # Any: the models that Django makes for many-to-many fields
    (Role.users.through, Action.ROLE_MEMBERS_CHANGED, "users"),
    (Role.groups.through, Action.ROLE_MEMBERS_CHANGED, "groups"),
    (User.groups.through, Action.USER_RIGHTS_CHANGED, "groups"),
    (User.user_permissions.through, Action.USER_RIGHTS_CHANGED, "permissions"),
    (Group.permissions.through, Action.GROUP_RIGHTS_CHANGED, "permissions"),
)


def connect() -> None:
    """Record from now on; calling it again changes nothing."""
    changes.recorded.connect(_changes_recorded, dispatch_uid="pagoda.audit")
    auth.user_logged_in.connect(_logged_in, dispatch_uid="pagoda.audit")
    auth.user_logged_out.connect(_logged_out, dispatch_uid="pagoda.audit")
    auth.user_login_failed.connect(_login_failed, dispatch_uid="pagoda.audit")
    for model in _KINDS:
        post_save.connect(_row_saved, sender=model, dispatch_uid=f"pagoda.audit.{model.__name__}")
        post_delete.connect(_row_deleted, sender=model, dispatch_uid=f"pagoda.audit.{model.__name__}")
    for through, action, field in _MEMBERSHIPS:
        uid = f"pagoda.audit.{through.__name__}"
        m2m_changed.connect(_members(action, field), sender=through, weak=False, dispatch_uid=uid)


def _changes_recorded(*, changes: Collection[Change], **_signal: object) -> None:
    record_all([_of_change(change) for change in changes])


def _of_change(change: Change) -> Record:
    instance = change.instance
    past = {"create": "created", "update": "updated", "delete": "deleted", "restore": "restored"}
    details: dict[str, Any] = {"entity": change.entity_name} if change.subject == "entry" else {}
    if change.action == "update":
        details |= _changed_names(change.data)
    return Record(
        action=Action(f"{change.subject}.{past[change.action]}"),
        subject_type=change.subject,
        subject_id=instance.pk if instance is not None else "",
        subject=str(getattr(instance, "name", "")),
        details=details,
        user=change.user,
    )


def _changed_names(data: Mapping[str, Any]) -> dict[str, Any]:
    fields = sorted(name for name in data if name != "attrs")
    attrs = sorted({str(item.get("name") or item.get("id")) for item in data.get("attrs", ())})
    return {"fields": fields} | ({"attrs": attrs} if attrs else {})


@running.as_host()
def _logged_in(*, user: User, **_signal: object) -> None:
    record(Action.LOGIN_SUCCEEDED, **_subject(user), user=user)


@running.as_host()
def _logged_out(*, user: User | None, **_signal: object) -> None:
    if user is not None:
        record(Action.LOGOUT, **_subject(user), user=user)


@running.as_host()
def _login_failed(
    *, credentials: Mapping[str, Any], request: HttpRequest | None = None, **_signal: object
) -> None:
    count_failure(Action.LOGIN_FAILED, request, str(credentials.get("username", "")))


@running.as_host()
def _row_saved(
    *,
    sender: type[Model],
    instance: Model,
    created: bool,
    raw: bool,
    update_fields: Collection[str] | None,
    **_signal: object,
) -> None:
    fields = frozenset(update_fields or ())
    if raw or (fields and fields <= NOT_TOLD):
        return
    action = _KINDS[sender][1].get("create" if created else "update")
    if action is not None:
        details = {"fields": sorted(fields)} if fields else {}
        # Who asks for a token with name and password acts, though nobody is logged in
        user = instance.user if isinstance(instance, ApiToken) and acting_user() is None else None
        record(action, **_subject(instance), details=details | _granted(instance), user=user)


@running.as_host()
def _row_deleted(*, sender: type[Model], instance: Model, **_signal: object) -> None:
    record(_KINDS[sender][1]["delete"], **_subject(instance), details=_granted(instance))


def _members(told: Action, field: str) -> Callable[..., None]:
    @running.as_host()
    def changed(
        *,
        instance: Model,
        action: str,
        reverse: bool,
        model: type[Model],
        pk_set: set[Any] | None,
        **_signal: object,
    ) -> None:
        what = action.removeprefix("post_")
        if what == action or (what in ("add", "remove") and not pk_set):
            return  # before the change, or nothing changed
        side = model._meta.model_name if reverse else field
        details = {"change": what, "field": side, "ids": sorted(map(str, pk_set or ()))}
        record(told, **_subject(instance), details=details)

    return changed


def _subject(instance: Model) -> dict[str, Any]:
    kind = _KINDS[type(instance)][0]
    name = instance.get_username() if isinstance(instance, User) else str(instance)
    return {"subject_type": kind, "subject_id": instance.pk, "subject": name}


def _granted(instance: Model) -> dict[str, Any]:
    match instance:
        case RolePermission():
            return dict(_permission(instance))
        case GroupNesting():
            return {"field": "parent", "ids": [str(instance.parent_id)]}
        case _:
            return {}


def _permission(instance: RolePermission) -> Iterator[tuple[str, Any]]:
    yield "role", instance.role_id
    yield "level", int(instance.level)
    for name in ("entity", "attr", "entry"):
        if (target := getattr(instance, f"{name}_id")) is not None:
            yield name, target

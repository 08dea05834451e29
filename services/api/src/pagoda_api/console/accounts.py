"""Users, groups and roles, for those who manage them, and why somebody may see something."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from pagoda.domain.user.models import Level
from pagoda_api.console.asking import Answer, Refused, ask, faults_of, get, told
from pagoda_api.console.entries import page_links
from pagoda_api.console.frame import page, show
from pagoda_api.console.targets import find_target
from pagoda_api.console.values import (
    GRANTED_ON,
    AttrField,
    fields_of,
    name_of,
    own_field,
    parts,
    raw_value,
    same,
    sent_fields,
)

PAGE = 50
KINDS = {"user": gettext_lazy("Users"), "group": gettext_lazy("Groups"), "role": gettext_lazy("Roles")}


_USERS = own_field("users", "array_user", gettext_lazy("Users"))
_GROUPS = own_field("groups", "array_group", gettext_lazy("Groups"))
_ROLES = own_field("roles", "array_role", gettext_lazy("Roles"))
_PERMISSIONS = own_field("permissions", "array_string", gettext_lazy("Django's permissions"))
_ACTIVE = own_field("is_active", "boolean", gettext_lazy("Active"))
_LEVELS = [level.label for level in Level]

FIELDS: Mapping[str, list[dict[str, Any]]] = {
    "user": [
        own_field("username", "string", gettext_lazy("Name"), is_mandatory=True),
        own_field("password", "password", gettext_lazy("New password")),
        own_field("first_name", "string", gettext_lazy("First name")),
        own_field("last_name", "string", gettext_lazy("Last name")),
        own_field("email", "string", gettext_lazy("Address")),
        _ACTIVE,
        own_field("is_staff", "boolean", gettext_lazy("Staff")),
        own_field("is_superuser", "boolean", gettext_lazy("Superuser")),
        *(_GROUPS, _ROLES, _PERMISSIONS),
    ],
    "group": [
        own_field("name", "string", gettext_lazy("Name"), is_mandatory=True),
        own_field("parent", "group", gettext_lazy("Nested in")),
        *(_USERS, _ROLES, _PERMISSIONS),
    ],
    "role": [
        own_field("name", "string", gettext_lazy("Name"), is_mandatory=True),
        own_field("note", "text", gettext_lazy("Note")),
        _ACTIVE,
        own_field("can_add_entities", "boolean", gettext_lazy("May add entities")),
        own_field("permissions", "array_grant", gettext_lazy("Grants"), choices=_LEVELS),
        *(_USERS, _GROUPS),
    ],
}
COLUMNS = {
    "user": ("is_active", "is_staff", "is_superuser", "groups", "roles"),
    "group": ("parent", "users", "roles"),
    "role": ("is_active", "can_add_entities", "users", "groups"),
}


@page
@require_safe
def listing(request: HttpRequest, kind: str) -> HttpResponse:
    """List the users, groups or roles that one may see."""
    query = {key: request.GET.getlist(key) for key in request.GET if request.GET[key]}
    found = get(request, f"{kind}-list", {"limit": PAGE, **query})
    columns = [field for field in FIELDS[kind] if field["id"] in COLUMNS[kind]]
    rows = [
        (each["id"], name_of(each), [(field["type"], each[field["id"]]) for field in columns])
        for each in found["results"]
    ]
    context = {"kind": kind, "kinds": KINDS, "heading": KINDS[kind], "columns": columns, "rows": rows}
    return show(request, "accounts.html", {**context, "pages": page_links(found)})


@page
def create(request: HttpRequest, kind: str) -> HttpResponse:
    """Make a user, a group or a role."""
    return _form(request, kind, None)


@page
def change(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """Show a user, a group or a role, and change it."""
    answer = ask(request, f"{kind}-detail", {"pk": pk})
    if not answer.is_ok:
        raise Refused(answer)
    return _form(request, kind, answer)


@page
@require_POST
def delete(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """Remove it for good."""
    answer = ask(request, f"{kind}-detail", {"pk": pk}, method="DELETE")
    for fault in [] if answer.is_ok else told(answer):
        messages.error(request, fault)
    return redirect("console-accounts", kind=kind) if answer.is_ok else redirect("console-account", kind, pk)


@page
@require_safe
def access(request: HttpRequest) -> HttpResponse:
    """Show the level of a user on something, and why."""
    user, kind, thing = (request.GET.get(key, "").strip() for key in ("user", "kind", "thing"))
    context: dict[str, Any] = {"user_text": user, "kind": kind, "thing": thing, "kinds": GRANTED_ON}
    if not (user and thing and kind in GRANTED_ON):
        return show(request, "access.html", context)
    field = AttrField(own_field("user", "user", ""), [])
    number = parts(thing)[1] or thing
    pk = find_target(request, field, user)
    if not isinstance(pk, int):
        faults = [gettext("There is no user %s, or you may not see them.") % user]
        return show(request, "access.html", context | {"faults": faults}, 404)
    answer = ask(request, "user-access", {"pk": pk}, query={kind: number})
    shown = {"answer": answer.data} if answer.is_ok else {"faults": told(answer)}
    return show(request, "access.html", context | shown, answer.status)


def _form(request: HttpRequest, kind: str, stored: Answer | None) -> HttpResponse:
    attrs = FIELDS[kind]
    held = {} if stored is None else {each["name"]: stored.data.get(each["id"]) for each in attrs}
    before = fields_of(attrs, held)
    context: dict[str, Any] = {"kind": kind, "heading": KINDS[kind], "fields": before}
    if stored is not None:
        version = stored.headers.get("ETag", "")
        context |= {"pk": stored.data["id"], "name": name_of(stored.data), "version": version}
    if request.method != "POST":
        return show(request, "account.html", context)
    sent = sent_fields(attrs, request.POST)
    context["fields"] = sent
    if more := request.POST.get("more"):
        for each in sent:
            if each.key == more:
                each.add_rows()
        return show(request, "account.html", context)
    changed = [each for each, old in zip(sent, before, strict=True) if not same(each, old)]
    data = {str(each.attr["id"]): _value(request, each) for each in changed}
    if stored is None:
        answer = ask(request, f"{kind}-list", method="POST", data=data)
    else:
        seen = request.POST.get("version", "")
        headers = {"If-Match": seen} if seen else {}
        answer = ask(
            request, f"{kind}-detail", {"pk": stored.data["id"]}, method="PATCH", data=data, headers=headers
        )
    if answer.is_ok:
        messages.success(request, gettext("%s is stored.") % name_of(answer.data))
        return redirect("console-account", kind, answer.data["id"])
    faults, detail = faults_of(answer)
    for each in sent:
        each.tell(faults.pop(str(each.attr["id"]), []))
    if any(each.unknown for each in sent):
        detail = ""
    rest = [f"{key}: {' '.join(texts)}" for key, texts in faults.items()]
    return show(
        request, "account.html", context | {"faults": [*filter(None, [detail]), *rest]}, answer.status
    )


def _value(request: HttpRequest, field: AttrField) -> Any:
    """Return what the API takes; a text without a row is empty there, not null."""
    value = raw_value(field, partial(find_target, request))
    return "" if value is None and field.element in ("string", "text") else value

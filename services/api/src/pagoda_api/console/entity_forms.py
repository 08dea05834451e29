"""Entities made and changed: their own fields; those of their attributes are a module of their own."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext, gettext_lazy

from pagoda.domain.user.models import Level
from pagoda_api.console.asking import Answer, Refused, ask, faults_of
from pagoda_api.console.frame import page, show
from pagoda_api.console.values import fields_of, own_field, raw_value, same, sent_fields

LEVELS = {level.label: level.value for level in Level}

FIELDS = [
    own_field("name", "string", gettext_lazy("Name"), is_mandatory=True),
    own_field("note", "text", gettext_lazy("Note")),
    own_field(
        "default_permission",
        "select",
        gettext_lazy("Level of who is granted none"),
        choices=[*LEVELS],
        are_words=True,
    ),
]


@page
def create(request: HttpRequest) -> HttpResponse:
    """Make an entity, and go on to its attributes."""
    return _form(request, None)


@page
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Change an entity, unless somebody else has changed it since the form was made."""
    stored = ask(request, "entity-detail", {"pk": pk})
    if not stored.is_ok:
        raise Refused(stored)
    return _form(request, stored)


def _form(request: HttpRequest, stored: Answer | None) -> HttpResponse:
    before = fields_of(FIELDS, {} if stored is None else _held(stored.data))
    context: dict[str, Any] = {"fields": before, "entity": None if stored is None else stored.data}
    if stored is not None:
        context["version"] = request.POST.get("version") or stored.headers.get("ETag", "")
    if request.method != "POST":
        return show(request, "entity_form.html", context)
    sent = sent_fields(FIELDS, request.POST)
    context["fields"] = sent
    changed = [each for each, old in zip(sent, before, strict=True) if not same(each, old)]
    data = {str(each.attr["id"]): raw_value(each, lambda _field, text: text) for each in changed}
    data |= {key: data[key] or "" for key in ("name", "note") if key in data}
    if "default_permission" in data:
        data["default_permission"] = LEVELS.get(str(data["default_permission"]), data["default_permission"])
    answer = _written(request, stored, data, context.get("version"))
    if answer.is_ok:
        messages.success(request, gettext("Entity %s is stored.") % answer.data["name"])
        return redirect("console-attributes", pk=answer.data["id"])
    faults, detail = faults_of(answer)
    for each in sent:
        each.faults = faults.pop(str(each.attr["id"]), [])
    rest = [f"{key}: {' '.join(texts)}" for key, texts in faults.items()]
    told = rest if any(each.faults for each in sent) else [*filter(None, [detail]), *rest]
    return show(request, "entity_form.html", context | {"faults": told}, answer.status)


def _held(stored: dict[str, Any]) -> dict[Any, Any]:
    """Return what the form begins with, by the fields' names in the reader's language."""
    held = {**stored, "default_permission": Level(stored["default_permission"]).label}
    return {each["name"]: held[each["id"]] for each in FIELDS}


def _written(
    request: HttpRequest, stored: Answer | None, data: dict[str, Any], version: str | None
) -> Answer:
    if stored is None:
        return ask(request, "entity-list", method="POST", data=data)
    headers = {"If-Match": version} if version else {}
    path = {"pk": stored.data["id"]}
    return ask(request, "entity-detail", path, method="PATCH", data=data, headers=headers)

"""The attributes of an entity: added, changed, removed and restored, after a look at values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from pagoda_api.console.asking import Answer, Refused, ask, get, told
from pagoda_api.console.frame import page, show
from pagoda_api.console.targets import find_target
from pagoda_api.console.values import (
    AttrField,
    FieldRow,
    fields_of,
    own_field,
    raw_value,
    same,
    sent_fields,
)
from pagoda_plugin_sdk.rules.attr_types import TYPES
from pagoda_plugin_sdk.rules.specs import ON_DELETE

CONFLICT, CHANGED_MEANWHILE = 409, 412
MOST_REMOVED = 50

_ONE_ROW = gettext_lazy("One row, unless the type is an array.")
_ON_DELETE = gettext_lazy("When what it points to is deleted")
_ENTITIES = gettext_lazy("Entities, of a reference to entries; none: all.")

FIELDS = [
    own_field("name", "string", gettext_lazy("Name"), is_mandatory=True),
    own_field("type", "select", gettext_lazy("Type"), is_mandatory=True, choices=[*TYPES], are_words=True),
    own_field("index", "number", gettext_lazy("Position")),
    own_field("note", "text", gettext_lazy("Note")),
    own_field("is_mandatory", "boolean", gettext_lazy("Needed")),
    own_field("default_value", "array_string", gettext_lazy("Default value"), note=_ONE_ROW),
    own_field("choices", "array_string", gettext_lazy("Choices"), note=gettext_lazy("Of a select.")),
    own_field("referral", "array_entity", gettext_lazy("May point to"), note=_ENTITIES),
    own_field("on_delete", "select", _ON_DELETE, choices=[*ON_DELETE], are_words=True),
    own_field("is_delete_in_chain", "boolean", gettext_lazy("What it points to is deleted, too")),
    own_field("is_summarized", "boolean", gettext_lazy("Shown in tables")),
    own_field("is_indexed", "boolean", gettext_lazy("Indexed for searches")),
]  # fmt: skip
"""What a form asks of an attribute, in its order; `id` is what the API calls it."""


@page
@require_safe
def attributes(request: HttpRequest, pk: int) -> HttpResponse:
    """List the attributes of an entity, and those that were removed."""
    about = get(request, "entity-detail", pk=pk)
    removed = get(request, "entity-removed-attributes", {"limit": MOST_REMOVED}, pk=pk)
    return show(request, "attributes.html", {"entity": about, "removed": removed})


@page
def add(request: HttpRequest, pk: int) -> HttpResponse:
    """Add an attribute."""
    return _form(request, pk, None)


@page
def change(request: HttpRequest, pk: int, attr: int) -> HttpResponse:
    """Change an attribute, after a look at what becomes of values."""
    return _form(request, pk, attr)


@page
def remove(request: HttpRequest, pk: int, attr: int) -> HttpResponse:
    """Ask whether an attribute is to be removed, with what entries have of it, and do it."""
    stored = _stored(request, pk)
    found = _attribute(stored, attr)
    context = {"entity": stored.data, "attr": found, **_versions(request, stored), "is_removing": True}
    return _decide(request, context, {"id": attr, "is_deleted": True})


@page
@require_POST
def restore(request: HttpRequest, pk: int, attr: int) -> HttpResponse:
    """Undo the removal of an attribute."""
    answer = ask(request, "entity-restore-attribute", {"pk": pk}, method="POST", data={"attr": attr})
    for fault in [] if answer.is_ok else told(answer):
        messages.error(request, fault)
    return redirect("console-attributes", pk=pk)


def _form(request: HttpRequest, pk: int, attr: int | None) -> HttpResponse:
    stored = _stored(request, pk)
    found = None if attr is None else _attribute(stored, attr)
    before = _fields(found)
    context: dict[str, Any] = {"entity": stored.data, "attr": found, "fields": before}
    context |= _versions(request, stored)
    if request.method != "POST":
        return show(request, "attribute.html", context)
    sent = sent_fields(FIELDS, request.POST)
    context["fields"] = sent
    more = [each for each in sent if each.key == request.POST.get("more")]
    for each in more:
        each.add_rows()
    if more or "again" in request.POST:
        return show(request, "attribute.html", context)
    pairs = zip(sent, before, strict=True)
    changed = [each for each, old in pairs if not same(each, old)]
    kinds = [each.rows[0].text for each in [*sent, *before] if each.attr["id"] == "type" and each.rows]
    kind = kinds[0] if kinds else ""
    spec = {str(each.attr["id"]): _value(request, each, kind) for each in changed}
    return _decide(request, context, spec if attr is None else {"id": attr, **spec})


def _decide(request: HttpRequest, context: dict[str, Any], spec: Mapping[str, Any]) -> HttpResponse:
    """Show what becomes of values; do it where nothing becomes of any, or somebody has seen it."""
    entity, path = context["entity"], {"pk": context["entity"]["id"]}
    seen = context["version"]
    if seen != context["now"]:
        return _conflict(request, context)
    preview = ask(request, "entity-preview", path, method="POST", data={"attrs": [spec]})
    if not preview.is_ok:
        return _refused(request, context, preview)
    changes, is_whole = preview.data["changes"], preview.data["is_whole"]
    is_refused = any(each["change"] == "type" and _is_refused(each) for each in changes)
    is_sure = request.method == "POST" and ("sure" in request.POST or not changes)
    if is_refused or not is_sure:
        context |= {"changes": changes, "is_whole": is_whole, "is_refused": is_refused}
        context["posted"] = _posted(request)
        return show(request, "attribute_preview.html", context, 400 if is_refused else 200)
    is_job = not is_whole and any(each["change"] == "type" for each in changes)
    answer = ask(
        request,
        "entity-convert" if is_job else "entity-detail",
        path,
        method="POST" if is_job else "PATCH",
        data={"attrs": [spec]},
        headers={"If-Match": seen},
    )
    if answer.status == CHANGED_MEANWHILE:
        return _conflict(request, context)
    if not answer.is_ok:
        return _refused(request, context, answer)
    if is_job:
        return redirect("console-job", pk=answer.data["id"])
    messages.success(request, gettext("The attributes of %s are stored.") % entity["name"])
    return redirect("console-attributes", pk=entity["id"])


def _is_refused(change: Mapping[str, Any]) -> bool:
    return bool(change["refused"] or change["is_hidden_refused"])


def _conflict(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Say that the entity is another one by now; sent once more, the form changes that one."""
    stored = _stored(request, context["entity"]["id"])
    context |= {"entity": stored.data, "version": stored.headers["ETag"], "is_conflict": True}
    if context.get("is_removing"):
        context |= {"changes": [], "is_whole": True, "posted": []}
        return show(request, "attribute_preview.html", context, CONFLICT)
    attr = context["attr"]
    if attr is not None:
        now = next((each for each in stored.data["attrs"] if each["id"] == attr["id"]), None)
        for each, held in zip(context["fields"], _fields(now), strict=True):
            each.stored = None if same(each, held) else held.rows
    return show(request, "attribute.html", context, CONFLICT)


def _refused(request: HttpRequest, context: dict[str, Any], answer: Answer) -> HttpResponse:
    context["faults"] = told(answer)
    if context.get("is_removing"):
        context |= {"changes": [], "is_whole": True, "posted": [], "is_refused": True}
        return show(request, "attribute_preview.html", context, answer.status)
    return show(request, "attribute.html", context, answer.status)


def _stored(request: HttpRequest, pk: int) -> Answer:
    answer = ask(request, "entity-detail", {"pk": pk})
    if not answer.is_ok:
        raise Refused(answer)
    return answer


def _versions(request: HttpRequest, stored: Answer) -> dict[str, str]:
    """Return the version of the entity that the form was made from, and the one of now."""
    now = stored.headers["ETag"]
    return {"version": request.POST.get("version") or now, "now": now}


def _attribute(stored: Answer, attr: int) -> Mapping[str, Any]:
    for each in stored.data["attrs"]:
        if each["id"] == attr:
            found: Mapping[str, Any] = each
            return found
    detail = gettext("The entity has no such attribute, or you may not see it.")
    raise Refused(Answer(404, {"detail": detail, "code": "not_found"}, {}))


def _fields(attr: Mapping[str, Any] | None) -> list[AttrField]:
    """Return the fields of a form, with what is stored of an attribute."""
    held = {} if attr is None else {each["name"]: attr.get(each["id"]) for each in FIELDS}
    found = fields_of([each for each in FIELDS if each["id"] != "default_value"], held)
    default = [] if attr is None else fields_of([{**attr, "name": ""}], {"": attr["default_value"]})
    rows = [FieldRow(row.text) for each in default for row in each.rows]
    place = next(place for place, each in enumerate(FIELDS) if each["id"] == "default_value")
    return [*found[:place], AttrField(FIELDS[place], rows), *found[place:]]


def _posted(request: HttpRequest) -> list[tuple[str, str]]:
    """Return what a form sent, to be sent again by the one that asks whether it is to be done."""
    own = ("csrfmiddlewaretoken", "version", "sure", "again")
    return [(key, value) for key in request.POST if key not in own for value in request.POST.getlist(key)]


def _value(request: HttpRequest, field: AttrField, kind: str) -> Any:
    """Return what the API takes for a field of an attribute whose type is `kind`. Any: JSON."""
    if field.attr["id"] == "default_value":
        rows = field.rows if kind.startswith("array_") else field.rows[:1]
        return raw_value(AttrField({**field.attr, "type": kind}, rows), lambda _field, text: text)
    value = raw_value(field, partial(find_target, request))
    if value is None:
        return {"boolean": False, "text": "", "string": "", "number": 0}.get(field.element)
    return value

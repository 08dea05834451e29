"""Entities and their entries: tables, the page of an entry, and the forms that change it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from pagoda.jobs.offering import offered_to
from pagoda.transfer.formats import FORMATS
from pagoda_api.console.around import picture, with_before
from pagoda_api.console.asking import Answer, Refused, ask, faults_of, get, told
from pagoda_api.console.frame import is_fragment, page, show, with_query
from pagoda_api.console.places import actions, panels
from pagoda_api.console.targets import find_target
from pagoda_api.console.values import (
    AttrField,
    fields_of,
    label,
    raw_value,
    same,
    sent_fields,
)

PAGE = 50
COLUMNS = 8
"""How many attributes a table shows unless others are chosen."""

OWN_PARAMETERS = ("columns",)

CONFLICT, CHANGED_MEANWHILE = 409, 412


@page
@require_safe
def entities(request: HttpRequest) -> HttpResponse:
    """List the entities."""
    found = get(request, "entity-list", {"limit": PAGE, **_given(request)})
    return show(request, "entities.html", {"found": found, "pages": page_links(found)})


@page
@require_safe
def entity(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the entries of an entity as a table whose columns are its attributes; the URL says which."""
    about = get(request, "entity-detail", pk=pk)
    answer = ask(request, "entry-list", query={"limit": PAGE, **_given(request), "entity": pk})
    names = [attr["name"] for attr in about["attrs"]]
    chosen = [name for name in request.GET.getlist("columns") if name in names]
    summarized = [attr["name"] for attr in about["attrs"] if attr.get("is_summarized")]
    columns = chosen or summarized or names[:COLUMNS]
    found = answer.data if answer.is_ok else {"results": []}
    context: dict[str, Any] = {
        "entity": about,
        "columns": [(attr, _order(request, attr)) for attr in about["attrs"] if attr["name"] in columns],
        "chosen": columns,
        "filters": [_filter(request, attr) for attr in about["attrs"] if attr["name"] in columns],
        "rows": [(entry, _cells(entry, columns)) for entry in found["results"]],
        "found": found,
        "pages": page_links(found, columns=chosen),
        "faults": [] if answer.is_ok or not about["is_active"] else told(answer),
        "formats": sorted(FORMATS),
        "tasks": offered_to(request.user, "entity", about["name"]),
        "label": label(about),
        "by_name": _order(request, {"name": "name", "id": None}),
    }
    context["is_filtered"] = any(each["value"] for each in context["filters"])
    return show(request, "_entries.html" if is_fragment(request) else "entity.html", context)


@page
@require_safe
def entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Show an entry with its values and what became of them."""
    found = get(request, "entry-detail", pk=pk)
    history = get(request, "entry-history", {"limit": 20}, pk=pk)
    references = get(request, "entry-references", {"limit": 20}, pk=pk)
    context = {"entry": found, "history": history, "references": references}
    more = {"versions": with_before(history), "picture": picture(request, pk)}
    of_plugins = {"panels": panels(request, found), "actions": actions(found)}
    of_plugins |= {"tasks": offered_to(request.user, "entry", found["schema"]["name"]), "label": label(found)}
    return show(request, "entry.html", {**context, **more, **of_plugins})


@page
@require_safe
def history(request: HttpRequest, pk: int) -> HttpResponse:
    """List all versions of the values of an entry."""
    found = get(request, "entry-detail", pk=pk)
    versions = get(request, "entry-history", {"limit": PAGE, **_given(request)}, pk=pk)
    context = {"entry": found, "versions": with_before(versions), "pages": page_links(versions)}
    return show(request, "history.html", context)


@page
def create(request: HttpRequest, pk: int) -> HttpResponse:
    """Make an entry of an entity."""
    about = get(request, "entity-detail", pk=pk)
    context: dict[str, Any] = {"entity": about, "fields": fields_of(about["attrs"], {})}
    if request.method == "POST":
        return _sent(request, context, None)
    return show(request, "entry_form.html", context)


@page
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change an entry, unless somebody else has changed it since the form was made."""
    answer = ask(request, "entry-detail", {"pk": pk})
    if not answer.is_ok:
        raise Refused(answer)
    found = answer.data
    about = get(request, "entity-detail", pk=found["schema"]["id"])
    values = {attr["name"]: attr["value"] for attr in found["attrs"]}
    context: dict[str, Any] = {
        "entity": about,
        "entry": found,
        "fields": fields_of(about["attrs"], values),
        "version": _version(answer),
    }
    if request.method == "POST":
        return _sent(request, context, found)
    return show(request, "entry_form.html", context | {"name": found["name"], "note": found["note"]})


@page
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whether an entry is to be deleted, and do it."""
    found = get(request, "entry-detail", pk=pk)
    if request.method != "POST":
        return show(request, "entry_delete.html", {"entry": found})
    answer = ask(request, "entry-detail", {"pk": pk}, method="DELETE")
    if not answer.is_ok:
        return show(request, "entry_delete.html", {"entry": found, "faults": told(answer)}, answer.status)
    messages.success(request, gettext("Entry %s is deleted. Its page can restore it.") % found["name"])
    return redirect("console-entity", pk=found["schema"]["id"])


@page
@require_POST
def restore(request: HttpRequest, pk: int) -> HttpResponse:
    """Undo the deletion of an entry."""
    answer = ask(request, "entry-restore", {"pk": pk}, method="POST")
    for fault in [] if answer.is_ok else told(answer):
        messages.error(request, fault)
    return redirect("console-entry", pk=pk)


def page_links(found: Mapping[str, Any], **own: object) -> dict[str, str]:
    """Return the query strings of the pages before and after, from the API's links; `own` are the page's."""
    links = {}
    for which in ("previous", "next"):
        if link := found.get(which):
            query = parse_qs(urlsplit(str(link)).query)
            query.pop("entity", None)
            links[which] = f"?{urlencode({**query, **own}, doseq=True)}"
    return links


def _given(request: HttpRequest) -> dict[str, list[str]]:
    """Return what the URL asks the API for; an empty input asks for nothing."""
    given = {key: request.GET.getlist(key) for key in request.GET if key not in OWN_PARAMETERS}
    return {key: values for key, values in given.items() if any(values)}


def _order(request: HttpRequest, attr: Mapping[str, Any]) -> tuple[str, str]:
    """Return how a table is ordered by an attribute, as ``aria-sort`` says it, and the way to turn that."""
    field = "name" if attr["id"] is None else f"attr.{attr['name']}"
    now = request.GET.get("ordering", "")
    state = {field: "ascending", f"-{field}": "descending"}.get(now, "none")
    turned = f"-{field}" if state == "ascending" else field
    return state, with_query(request, ordering=turned, offset=None, cursor=None)


def _filter(request: HttpRequest, attr: Mapping[str, Any]) -> dict[str, str]:
    """Return the input that filters by an attribute: parts of texts and of names, the rest as a whole."""
    element = str(attr["type"]).removeprefix("array_")
    is_whole = element in ("boolean", "number", "date", "datetime")
    key = f"attr.{attr['name']}" + ("" if is_whole else "__contains")
    return {"name": key, "label": attr["name"], "type": element, "value": request.GET.get(key, "")}


def _cells(entry: Mapping[str, Any], columns: list[str]) -> list[Mapping[str, Any] | None]:
    by_name = {attr["name"]: attr for attr in entry["attrs"]}
    return [by_name.get(name) for name in columns]


def _version(answer: Answer) -> str:
    """Return what tells one state of an entry from another: its ETag where the API has one."""
    return str(answer.headers.get("ETag") or answer.data["updated_time"])


def _sent(request: HttpRequest, context: dict[str, Any], stored: Mapping[str, Any] | None) -> HttpResponse:
    """Store what a form sent, or show the form again with what is wrong."""
    before, sent = context["fields"], sent_fields(context["entity"]["attrs"], request.POST)
    name, note = request.POST.get("name", ""), request.POST.get("note", "").replace("\r\n", "\n")
    context |= {"fields": sent, "name": name, "note": note}
    if more := request.POST.get("more"):
        for each in sent:
            if each.key == more:
                each.add_rows()
        return show(request, "entry_form.html", context)
    seen = request.POST.get("version", "")
    if stored is not None and seen != context["version"]:
        return _conflict(request, context, before)
    pairs = zip(sent, before, strict=True)
    changed = [each for each, old in pairs if not same(each, old) or (stored is None and each.rows)]
    data: dict[str, Any] = {
        "attrs": {each.attr["name"]: raw_value(each, partial(find_target, request)) for each in changed}
    }
    if stored is None:
        data |= {"name": name, "note": note, "schema": context["entity"]["id"]}
        answer = ask(request, "entry-list", method="POST", data=data)
    else:
        data |= {key: value for key, value in (("name", name), ("note", note)) if value != stored[key]}
        headers = {"If-Match": seen} if seen.startswith('"') else {}
        answer = ask(
            request, "entry-detail", {"pk": stored["id"]}, method="PATCH", data=data, headers=headers
        )
    if answer.is_ok:
        messages.success(request, gettext("Entry %s is stored.") % answer.data["name"])
        return redirect("console-entry", pk=answer.data["id"])
    if stored is not None and answer.status == CHANGED_MEANWHILE:
        return edit(request, pk=stored["id"])  # which finds the version that is stored now
    return _refused(request, context, answer)


def _conflict(request: HttpRequest, context: dict[str, Any], stored: list[AttrField]) -> HttpResponse:
    """Show the form with what is stored now beside what was typed; sent once more, it overwrites."""
    for each, now in zip(context["fields"], stored, strict=True):
        each.stored = None if same(each, now) else now.rows
    return show(request, "entry_form.html", context | {"is_conflict": True}, CONFLICT)


def _refused(request: HttpRequest, context: dict[str, Any], answer: Answer) -> HttpResponse:
    faults, detail = faults_of(answer)
    for each in context["fields"]:
        each.tell(faults.pop(each.attr["name"], []))
    if any(each.unknown for each in context["fields"]):
        detail = gettext("Nothing is stored: see what is said beside the values.")
    context |= {"name_faults": faults.pop("name", []), "note_faults": faults.pop("note", [])}
    rest = [f"{key}: {' '.join(told)}" for key, told in faults.items()]
    return show(
        request, "entry_form.html", context | {"faults": [*filter(None, [detail]), *rest]}, answer.status
    )

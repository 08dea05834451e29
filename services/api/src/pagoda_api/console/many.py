"""Many entries at once: changed, deleted, exported, imported."""

from __future__ import annotations

from functools import partial
from pathlib import PurePath
from typing import Any

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from pagoda.transfer.formats import FORMATS
from pagoda_api.console.asking import Answer, ask, get, told
from pagoda_api.console.frame import page, show
from pagoda_api.console.targets import find_target
from pagoda_api.console.values import fields_of, parts, raw_value, sent_fields

DELETE = "delete"


@page
@require_POST
def bulk(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask what is to become of the entries that were picked, and do it: with all of them or with none."""
    about = get(request, "entity-detail", pk=pk)
    picked = {number: name for name, number in map(parts, request.POST.getlist("pick")) if number is not None}
    if not picked:
        messages.error(request, gettext("Pick entries first."))
        return redirect("console-entity", pk=pk)
    nothing = dict.fromkeys((attr["name"] for attr in about["attrs"]), None)
    context: dict[str, Any] = {
        "entity": about,
        "picked": [{"id": number, "label": f"{name} #{number}"} for number, name in picked.items()],
        "chosen": request.POST.getlist("set"),
        "is_deleting": request.POST.get("do") == DELETE,
        "fields": fields_of(about["attrs"], nothing),
    }
    if "sure" in request.POST or "more" in request.POST:
        context["fields"] = sent_fields(about["attrs"], request.POST)
    if "sure" not in request.POST:
        for each in context["fields"]:
            if each.key == request.POST.get("more"):
                each.add_rows()
        return show(request, "bulk.html", context)
    values = {
        each.attr["name"]: raw_value(each, partial(find_target, request))
        for each in context["fields"]
        if each.key in context["chosen"]
    }
    for each in context["fields"]:
        each.tell([])
    if any(each.faults for each in context["fields"]):
        return show(request, "bulk.html", context, 400)
    does = {"op": "delete"} if context["is_deleting"] else {"op": "update", "attrs": values}
    answer = ask(
        request, "entry-bulk", method="POST", data={"items": [{**does, "id": each} for each in picked]}
    )
    if answer.is_ok:
        messages.success(request, gettext("%d entries are changed.") % len(picked))
        return redirect("console-entity", pk=pk)
    return show(request, "bulk.html", context | {"faults": _faults(answer, picked)}, answer.status)


def _faults(answer: Answer, picked: dict[int, str]) -> list[str]:
    """Return what a refusal says of each entry."""
    results = answer.data.pop("results", [])
    found = told(Answer(answer.status, {"detail": answer.data["detail"]}, {}) if results else answer)
    for (number, name), result in zip(picked.items(), results, strict=False):
        if error := result.get("error"):
            found += [f"{name} #{number}: {each}" for each in told(Answer(answer.status, error, {}))]
    return found


@page
@require_POST
def export(request: HttpRequest, pk: int) -> HttpResponse:
    """Have a job write the entries of an entity to a file."""
    about = get(request, "entity-detail", pk=pk)
    data = {"file_format": request.POST.get("file_format", ""), "entities": [about["name"]]}
    answer = ask(request, "exports", method="POST", data=data)
    if answer.is_ok:
        return redirect("console-job", pk=answer.data["id"])
    for fault in told(answer):
        messages.error(request, fault)
    return redirect("console-entity", pk=pk)


@page
def upload(request: HttpRequest, pk: int) -> HttpResponse:
    """Have a job make entries of a file, or tell what it would make."""
    about = get(request, "entity-detail", pk=pk)
    context: dict[str, Any] = {"entity": about, "formats": sorted(FORMATS), "posted": request.POST}
    if request.method != "POST":
        return show(request, "import.html", context)
    file = request.FILES.get("file")
    if not isinstance(file, UploadedFile):
        return show(request, "import.html", context | {"faults": [gettext("Choose a file.")]}, 400)
    suffix = PurePath(file.name or "").suffix.removeprefix(".").lower()
    query = {
        "file_format": request.POST.get("file_format") or {"yml": "yaml"}.get(suffix, suffix),
        "entity": about["name"],
        "key": request.POST.get("key") or "name",
        "preview": "true" if request.POST.get("do") == "preview" else "false",
        "skip": "true" if request.POST.get("skip") else "false",
    }
    answer = ask(request, "imports", method="POST", query=query, content=file.read())
    if answer.is_ok:
        return redirect("console-job", pk=answer.data["id"])
    return show(request, "import.html", context | {"faults": told(answer)}, answer.status)

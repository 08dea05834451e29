"""Entities deleted, after a look at what that meets, and restored."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from pagoda_api.console.asking import Refused, ask, told
from pagoda_api.console.frame import page, show


@page
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whether an entity is to be deleted, with what that meets, and do it unless it changed meanwhile."""
    stored = ask(request, "entity-detail", {"pk": pk})
    if not stored.is_ok:
        raise Refused(stored)
    about, now = stored.data, stored.headers["ETag"]
    seen = request.POST.get("version") or now
    context: dict[str, Any] = {"entity": about, "version": now, "is_conflict": seen != now, "faults": []}
    status = 200
    if request.method == "POST":
        answer = ask(request, "entity-detail", {"pk": pk}, method="DELETE", headers={"If-Match": seen})
        if answer.is_ok:
            told_of = gettext("Entity %s is deleted. Its page can restore it.") % about["name"]
            messages.success(request, told_of)
            return redirect("console-entities")
        status = answer.status
        context["faults"] = [] if context["is_conflict"] else told(answer)
    met = ask(request, "entity-deletion", {"pk": pk})
    if met.is_ok:
        context["met"] = met.data
    else:
        context["faults"], status = told(met), met.status
    return show(request, "entity_delete.html", context, status)


@page
@require_POST
def restore(request: HttpRequest, pk: int) -> HttpResponse:
    """Undo the deletion of an entity."""
    answer = ask(request, "entity-restore", {"pk": pk}, method="POST")
    for fault in [] if answer.is_ok else told(answer):
        messages.error(request, fault)
    if answer.is_ok:
        messages.success(request, gettext("Entity %s is restored.") % answer.data["name"])
    return redirect("console-entity", pk=pk)

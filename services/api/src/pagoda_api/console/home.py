"""The first page: what there is, what happened, and what needs a person; and the search."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from pagoda.audit.recent import recent_changes
from pagoda.domain.access.querysets import count_entries
from pagoda_api.console.asking import ask, get
from pagoda_api.console.frame import page, show, viewer
from pagoda_api.console.operating import switched
from pagoda_api.console.plugins import lights

SHOWN = 10
ENTITIES = 100
COUNTED, ALL_COUNTED = 10_000, 100_000
"""Entries of one entity, and of all together, that the first page counts."""


@page
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the first page."""
    user = viewer(request)
    entities = get(request, "entity-list", {"limit": ENTITIES})
    numbers = [each["id"] for each in entities["results"]]
    most = min(COUNTED, ALL_COUNTED // max(len(numbers), 1))
    counts = count_entries(numbers, user, most)
    plugins = lights(request)
    mine = get(request, "job-list", {"user": "me", "limit": SHOWN})["results"]
    failed = get(request, "job-list", {"user": "me", "status": "error,timeout", "limit": SHOWN})["results"]
    context = {
        "entities": [(each, counts.get(each["id"], 0)) for each in entities["results"]],
        "most": most,
        "more_entities": entities["count"] - len(entities["results"]),
        "plugins": plugins,
        "wrong": [(each, fault) for each in plugins for fault in each["wrong"]],
        "switches": switched(request),
        "failed": failed,
        "jobs": mine,
        "changes": recent_changes(user, SHOWN),
    }
    return show(request, "home.html", context)


@page
@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Find entities and entries by a part of their name."""
    text = request.GET.get("q", "").strip()
    context: dict[str, Any] = {"q": text}
    if text:
        for kind in ("entity", "entry"):
            answer = ask(request, f"{kind}-list", query={"search": text, "limit": SHOWN * 5})
            context[kind] = answer.data["results"] if answer.is_ok else []
            context["count"] = answer.data["count"] if answer.is_ok else 0
    return show(request, "search.html", context)

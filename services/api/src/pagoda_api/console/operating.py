"""What administrators do to a plugin from its page: forms that the API's own views decide about."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from pagoda_api.console.asking import Answer, ask, told
from pagoda_api.console.frame import page

HOURS = (1, 8, 24)
"""How long something may be on, beside "until it is undone"."""


@page
@require_POST
def retry(request: HttpRequest, name: str, surface: str) -> HttpResponse:
    """Let the next call of a surface through."""
    return _back(
        request, name, ask(request, "breaker-retry", {"plugin": name, "surface": surface}, method="POST")
    )


@page
@require_POST
def switch(request: HttpRequest, name: str, kind: str) -> HttpResponse:
    """Switch something on for a plugin, or off where the form says so."""
    path = {"plugin": name, "switch": kind}
    if "undo" in request.POST:
        return _back(request, name, ask(request, "switch", path, method="DELETE"))
    hours = request.POST.get("hours", "")
    seconds = 3600 * int(hours) if hours in map(str, HOURS) else None if hours == "" else hours
    data = {"lasts_seconds": seconds, "reason": request.POST.get("reason", "")}
    return _back(request, name, ask(request, "switch", path, method="PUT", data=data))


def switched(request: HttpRequest) -> list[dict[str, Any]]:
    """Return what is switched on for plugins, as far as whoever looks may see it."""
    answer = ask(request, "switches")
    return list(answer.data["results"]) if answer.is_ok else []


def operated(request: HttpRequest, name: str) -> dict[str, Any]:
    """Return what the page of a plugin shows of how it is operated."""
    history = ask(request, "breakers", {"plugin": name})
    on = {each["switch"]: each for each in switched(request) if each["plugin"] == name}
    return {
        "may_operate": request.user.is_superuser,  # which forms are shown: the service decides who may
        "hours": HOURS,
        "switches": [(kind, on.get(kind)) for kind in ("dry_run", "silence")] if history.is_ok else [],
        "history": history.data["history"] if history.is_ok else None,
    }


def _back(request: HttpRequest, name: str, answer: Answer) -> HttpResponse:
    for fault in [] if answer.is_ok else told(answer):
        messages.error(request, fault)
    return redirect("console-plugin", name=name)

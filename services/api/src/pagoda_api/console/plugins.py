"""Plugins: how each is, what is wrong with it and what mends that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from pagoda.fencing.states import probe_of
from pagoda.health.plugins import plugin_health
from pagoda.plugins.meanings import meaning_of
from pagoda.plugins.registry import registry
from pagoda.watching.queue_minutes import last_hour
from pagoda_api.console.asking import ask, get
from pagoda_api.console.frame import page, show
from pagoda_api.console.operating import operated
from pagoda_api.console.sparkline import Sparkline, sparkline
from pagoda_api.plugin_routes import paths_of


@page
@require_safe
def plugins(request: HttpRequest) -> HttpResponse:
    """List the plugins with their lights."""
    processes = ask(request, "processes")
    context = {"plugins": lights(request), "digest": registry().digest()}
    return show(
        request,
        "plugins.html",
        context | {"processes": processes.data["results"] if processes.is_ok else None},
    )


@page
@require_safe
def plugin(request: HttpRequest, name: str) -> HttpResponse:
    """Show one plugin."""
    about = get(request, "plugin-about", name=name)
    health = [_meant(each.to_json(), about) for each in plugin_health() if each.id == about["id"]]
    failed = {"plugin": about["id"], "status": "error,timeout", "limit": LAST_ERRORS}
    record = registry().get(name)
    context = {
        "plugin": about,
        "health": health[0] if health else None,
        "surfaces": [
            (key, {"count": health[0][key].get("calls", health[0][key].get("jobs", "")), **health[0][key]})
            for key in SURFACES
        ]
        if health
        else [],
        "grants": [
            (str(each), each in record.grants.effective or each in record.grants.granted)
            for each in sorted({*record.grants.asked, *record.grants.granted})
        ],
        "breakers": [{**each, "probe": _probe(each)} for each in about["breakers"]],
        "queue_hour": _queue_hour(about["queue"]),
        "faults": [(meaning_of(each["code"]), each["text"]) for each in about["faults"]],
        "meaning": meaning_of(about["reason_code"]),
        "endpoints": paths_of(about["id"]),
        "failed": get(request, "job-list", failed)["results"],
        **operated(request, about["id"]),
    }
    return show(request, "plugin.html", context)


@page
@require_safe
def settings(request: HttpRequest, name: str) -> HttpResponse:
    """Show what a plugin can be told in the environment, and what holds here."""
    about = get(request, "plugin-about", name=name)
    shown = [
        {**each, "default": _text(each["default"]), "value": _text(each["value"])}
        for each in about["settings"]
    ]
    return show(request, "settings.html", {"plugin": about, "settings": shown})


@page
@require_safe
def hooks(request: HttpRequest) -> HttpResponse:
    """List the handlers of all plugins in the order in which they run, for all entities or for one."""
    entity = request.GET.get("entity", "").strip()
    found = [
        {**hook, "plugin": each["id"], "title": each["name"]}
        for each in get(request, "plugin-list")["results"]
        for hook in each["hooks"]
        if not entity or hook["entity"] in (None, entity)
    ]
    found.sort(key=lambda hook: (hook["hook"], hook["position"]))
    return show(request, "hooks.html", {"hooks": found, "entity": entity})


LAST_ERRORS = 3
SURFACES = ("load", "endpoint", "hook", "task")


def lights(request: HttpRequest) -> list[dict[str, Any]]:
    """Return each plugin with how it is and what needs a person."""
    about = {each["id"]: each for each in get(request, "plugin-list")["results"]}
    found = []
    for each in get(request, "plugin-health")["results"]:
        health = _meant(each, about.get(each["id"]))
        wrong = [{"surface": key, **health[key]} for key in SURFACES if health[key]["text"]]
        found.append({**health, "about": about.get(health["id"]), "wrong": wrong})
    return found


def _meant(health: Mapping[str, Any], about: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the health of a plugin with what is wrong at load in the reader's language.

    `detail` is the host's own sentence then, in English, as it was said when the process started.
    """
    codes = [about["reason_code"], *(each["code"] for each in about["faults"])] if about else []
    meanings = [each for each in map(meaning_of, codes) if each.text]
    if not meanings:
        return dict(health)
    texts = dict.fromkeys(each.text for each in meanings)
    told = {"text": "; ".join(texts), "detail": health["load"]["text"]}
    remedies = dict.fromkeys(each.remedy for each in meanings)
    return {**health, "load": {**health["load"], **told, "remedy": " ".join(remedies)}}


def _queue_hour(queue: str) -> list[tuple[str, Sparkline]]:
    hour = last_hour(queue)
    return [("depth", sparkline(hour.depths)), ("age", sparkline(hour.ages))]


def _probe(breaker: Mapping[str, Any]) -> str:
    retry_at = breaker["retry_at"]
    return probe_of(breaker["state"], datetime.fromisoformat(retry_at) if retry_at else None)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

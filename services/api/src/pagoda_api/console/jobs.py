"""Jobs: the list, and the page of one with its log."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from pagoda.jobs.offering import offered_to
from pagoda.plugins.registry import registry
from pagoda_api.console.asking import ask, get, told
from pagoda_api.console.entries import page_links
from pagoda_api.console.frame import is_fragment, page, show
from pagoda_plugin_sdk.operations import JobStatus

PAGE = 50
FIRST_WAIT, LONGEST_WAIT = 1, 30
"""Seconds until the page asks for more: doubled for as long as there is nothing new."""

ACTIONS = {"cancel": "job-cancel", "retry": "job-retry"}
STATUSES = tuple(status.name.lower() for status in JobStatus)


@page
@require_safe
def jobs(request: HttpRequest) -> HttpResponse:
    """List the jobs that one may see, the newest first."""
    query = {key: request.GET.getlist(key) for key in request.GET if request.GET[key]}
    answer = ask(request, "job-list", query={"limit": PAGE, **query})
    found = answer.data if answer.is_ok else {"results": []}
    context = {
        "found": found,
        "pages": page_links(found),
        "faults": [] if answer.is_ok else told(answer),
        "statuses": STATUSES,
        "plugins": ["core", *(record.id for record in registry().records)],
        "tasks": offered_to(request.user),
    }
    return show(request, "_jobs.html" if is_fragment(request) else "jobs.html", context)


@page
@require_safe
def job(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a job, with its log from its beginning, or from behind a line."""
    found = get(request, "job-detail", pk=pk)
    log = _log(request, pk, _number(request, "after", 0)) if found["can_read_output"] else None
    context = {"job": found, "log": log, "wait": FIRST_WAIT, "next_wait": FIRST_WAIT}
    return show(request, "job.html", context | {"attempts": _attempts(log["results"]) if log else []})


@page
@require_safe
def of_request(request: HttpRequest, request_id: str) -> HttpResponse:
    """Show what belongs to one request: its jobs, and for auditors what was done in it and in them."""
    found = get(request, "job-list", {"request_id": request_id, "hidden": "true", "limit": PAGE})
    events = ask(request, "audit-list", query={"request_id": request_id, "limit": PAGE})
    context = {"request_id": request_id, "found": found, "events": events.data if events.is_ok else None}
    return show(request, "request.html", context)


@page
@require_safe
def live(request: HttpRequest, pk: int) -> HttpResponse:
    """Return what is new of a job, for a page that shows the log up to a line."""
    after, wait = _number(request, "after", 0), _number(request, "wait", FIRST_WAIT)
    found = get(request, "job-detail", pk=pk)
    log = _log(request, pk, after) if found["can_read_output"] else None
    is_new = bool(log and log["results"])
    context = {
        "job": found,
        "log": log,
        "wait": wait,
        "next_wait": FIRST_WAIT if is_new else min(wait * 2, LONGEST_WAIT),
    }
    return show(request, "_job_live.html", context)


@page
@require_POST
def control(request: HttpRequest, pk: int, action: str) -> HttpResponse:
    """Cancel or retry a job."""
    answer = ask(request, ACTIONS[action], {"pk": pk}, method="POST")
    for fault in [] if answer.is_ok else told(answer):
        messages.error(request, fault)
    return redirect("console-job", pk=pk)


def _attempts(lines: list[Any]) -> list[dict[str, Any]]:
    """Return when each attempt of a job began and ended to write its log, as far as the lines tell."""
    found: dict[int, dict[str, Any]] = {}
    for line in lines:
        at = line["created_at"]
        attempt = found.setdefault(line["attempt"], {"number": line["attempt"], "began": at, "faults": 0})
        attempt["ended"] = at
        attempt["faults"] += line["level"] in ("WARNING", "ERROR", "CRITICAL")
    return list(found.values())


def _log(request: HttpRequest, pk: int, after: int = 0) -> Any:
    return get(request, "job-log", {"after": after}, pk=pk)


def _number(request: HttpRequest, name: str, default: int) -> int:
    given = request.GET.get(name, "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else default

"""What the page of an entry shows around its values: differences between versions, and its neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from pagoda_api.console.asking import ask, get, told
from pagoda_api.console.frame import page

type Shown = dict[str, Any]  # Any: JSON values, as the API shows a thing

ONE_WRITE = timedelta(seconds=2)
"""Rows of the history that are no further apart belong together."""
NEIGHBOURS = 40
ROW, PADDING = 34, 20
"""Pixels of a neighbour in the picture."""


def with_before(versions: Mapping[str, Any]) -> list[Shown]:
    """Return the history of a page, the newest first, each value with what it took the place of.

    `is_known` is false where that is on a page further on; of an array `added` and `removed` are told, too.
    `is_moment` marks the rows to whose time the whole entry may go back.
    """
    _mark_moments(versions["results"], is_first_page=not versions["previous"])
    older: dict[int, Shown] = {}
    found: list[Shown] = []
    for version in reversed(versions["results"]):
        if version["kind"] != "value":
            found.append(version)
            continue
        attr, value = version["attr"], version["value"]
        before = older.get(attr["id"])
        more = {"before": before and before["value"], "is_known": before is not None or not versions["next"]}
        if str(attr["type"]).startswith("array_"):
            was = (before and before["value"]) or []
            more["added"] = [each for each in value or [] if each not in was]
            more["removed"] = [each for each in was if each not in (value or [])]
        older[attr["id"]] = version
        found.append({**version, **more})
    return found[::-1]


def _mark_moments(rows: Sequence[Shown], *, is_first_page: bool) -> None:
    """Mark the last row of each write, but of the latest one, which is what the entry is now.

    The rows of a write carry times of their own, between which there was never such an entry.
    """
    newer: datetime | None = None
    is_latest = is_first_page
    for row in rows:
        at = datetime.fromisoformat(str(row["created_time"]))
        begins = newer is not None and newer - at > ONE_WRITE
        is_latest = is_latest and not begins
        row["is_moment"] = not is_latest and (begins or newer is None)
        newer = at


@page
@require_POST
def revert(request: HttpRequest, pk: int, version: int) -> HttpResponse:
    """Set an attribute to an earlier version of its value."""
    return _taken_back(request, pk, {"version": version})


@page
@require_POST
def revert_entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Set name, note and all values to what they were at the time that is sent as `at`."""
    return _taken_back(request, pk, {"at": request.POST.get("at", "")})


def _taken_back(request: HttpRequest, pk: int, to: Shown) -> HttpResponse:
    answer = ask(request, "entry-revert", {"pk": pk}, method="POST", data=to)
    for fault in [] if answer.is_ok else told(answer):
        messages.error(request, fault)
    if answer.is_ok:
        messages.success(request, gettext("Entry %s is stored.") % answer.data["name"])
    return redirect("console-entry", pk=pk)


def picture(request: HttpRequest, pk: int) -> Shown:
    """Return where the neighbours of an entry stand: left who refers to it, right what it refers to."""
    graph = get(request, "entry-graph", {"depth": 1, "limit": NEIGHBOURS}, pk=pk)
    nodes = {each["id"]: each for each in graph["nodes"]}
    sources = _column([each for each in graph["edges"] if each["target"] == pk], "source", nodes)
    targets = _column([each for each in graph["edges"] if each["source"] == pk], "target", nodes)
    height = max(len(sources), len(targets), 1) * ROW + PADDING
    return {
        "sources": sources,
        "targets": targets,
        "height": height,
        "middle": height // 2,
        "is_cut": graph["is_cut"],
    }


def _column(edges: Sequence[Shown], end: str, nodes: Mapping[int, Shown]) -> list[Shown]:
    """Return a neighbour for each entry at this end of the edges, with the attributes that lead there."""
    labels: dict[int, list[str]] = {}
    for edge in edges:
        if edge[end] in nodes:
            labels.setdefault(edge[end], []).append(edge["attr"]["name"])
    return [
        {"entry": nodes[pk], "label": ", ".join(dict.fromkeys(names)), "y": PADDING + ROW * place}
        for place, (pk, names) in enumerate(labels.items())
    ]

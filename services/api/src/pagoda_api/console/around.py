"""What the page of an entry shows around its values: differences between versions, and its neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from pagoda_api.console.asking import ask, get, told
from pagoda_api.console.frame import page

type Shown = dict[str, Any]  # Any: JSON values, as the API shows a thing

NEIGHBOURS = 40
ROW, PADDING = 34, 20
"""Pixels of a neighbour in the picture."""


def with_before(versions: Mapping[str, Any]) -> list[Shown]:
    """Return the history of a page, the newest first, each value with what it took the place of.

    `is_known` is false where that is on a page further on; of an array `added` and `removed` are told, too.
    """
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


@page
@require_POST
def revert(request: HttpRequest, pk: int, version: int) -> HttpResponse:
    """Set an attribute to an earlier version of its value."""
    answer = ask(request, "entry-revert", {"pk": pk}, method="POST", data={"version": version})
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

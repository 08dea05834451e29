"""Views of a table that are saved: the query of its URL, as a saved search of the API and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from pagoda.domain.search.conditions import OPERATORS
from pagoda_api.console.asking import ask, get, told
from pagoda_api.console.frame import page, show

SHOWN = 200
NAME = {"field": "name", "op": "contains"}


@page
def views(request: HttpRequest, pk: int) -> HttpResponse:
    """List the saved views of an entity's table, and save the one that the URL says."""
    about = get(request, "entity-detail", pk=pk)
    faults: list[str] = []
    if request.method == "POST":
        search = search_of(request.GET, about)
        data = {
            "name": request.POST.get("name", ""),
            "is_shared": bool(request.POST.get("is_shared")),
            "search": search,
        }
        answer = ask(request, "saved-search-list", method="POST", data=data)
        if answer.is_ok:
            return redirect("console-entity-views", pk=pk)
        faults = told(answer)
    saved = get(request, "saved-search-list", {"limit": SHOWN})["results"]
    own = [(each, query_of(each["search"])) for each in saved if each["search"].get("entities") == [pk]]
    context = {"entity": about, "saved": own, "query": request.GET.urlencode(), "faults": faults}
    return show(request, "views.html", context, 400 if faults else 200)


@page
@require_POST
def delete(request: HttpRequest, pk: int, saved: int) -> HttpResponse:
    """Delete a saved view."""
    answer = ask(request, "saved-search-detail", {"pk": saved}, method="DELETE")
    for fault in [] if answer.is_ok else told(answer):
        messages.error(request, fault)
    return redirect("console-entity-views", pk=pk)


def search_of(query: QueryDict, entity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the search that the query of a table asks for; which entries are deleted is no part of it."""
    types = {f"attr.{attr['name']}": attr["type"].removeprefix("array_") for attr in entity["attrs"]}
    where: list[dict[str, Any]] = [{**NAME, "value": text} for text in query.getlist("search") if text]
    for key in query:
        field, separator, operator = key.rpartition("__")
        if not separator or operator not in OPERATORS:
            field, operator = key, "eq"
        if field in types:
            where += [
                {"field": field, "op": operator, "value": _typed(types[field], text)}
                for text in query.getlist(key)
                if text
            ]
    columns = [f"attr.{name}" for name in query.getlist("columns")]
    return {
        "entities": [entity["id"]],
        **({"where": {"and": where}} if where else {}),
        **({"ordering": query["ordering"]} if query.get("ordering") else {}),
        **({"fields": columns} if columns else {}),
    }


def query_of(search: Mapping[str, Any]) -> str | None:
    """Return the query of a table for a search that `search_of` made; None: it asks for more than a table."""
    tree = search.get("where") or {"and": []}
    leaves = tree.get("and")
    if search.get("text") or not isinstance(leaves, list) or not all("field" in each for each in leaves):
        return None
    query: list[tuple[str, str]] = []
    for leaf in leaves:
        operator, value = leaf.get("op", "eq"), leaf.get("value")
        text = str(value).lower() if isinstance(value, bool) else str(value)
        is_name = {"field": leaf["field"], "op": operator} == NAME
        suffix = "" if operator == "eq" else f"__{operator}"
        query.append(("search", text) if is_name else (f"{leaf['field']}{suffix}", text))
    query += [("columns", each.removeprefix("attr.")) for each in search.get("fields", [])]
    query += [("ordering", search["ordering"])] if search.get("ordering") else []
    return urlencode(query)


def _typed(type_name: str, text: str) -> object:
    if type_name == "boolean":
        return {"true": True, "false": False}.get(text, text)
    try:
        return float(text) if type_name == "number" else text
    except ValueError:
        return text

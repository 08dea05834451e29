"""Views of a table that are saved: the query of its URL, as a saved search of the API and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from pagoda.domain.search.conditions import in_list, read_parameters, tests_in
from pagoda.domain.search.resolving import ATTR
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
        data = {"name": request.POST.get("name", ""), "is_shared": bool(request.POST.get("is_shared"))}
        try:
            data |= {"search": search_of(request.GET, pk)}
        except ValidationError as error:
            faults = error.messages
        else:
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


def search_of(query: QueryDict, entity_id: int) -> dict[str, Any]:
    """Return the search that the query of a table asks for; which entries are deleted is no part of it.

    Raises:
        ValidationError: keyed by the parameter; there are too many conditions.
    """
    given = [(key, text) for key, texts in query.lists() if key.startswith(ATTR) for text in texts if text]
    where: list[dict[str, Any]] = [{**NAME, "value": text} for text in query.getlist("search") if text]
    where += [
        {"field": test.field, "op": test.operator, "value": test.value}
        for test in tests_in(read_parameters(given))
    ]
    columns = [f"{ATTR}{name}" for name in query.getlist("columns")]
    return {
        "entities": [entity_id],
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
        text = json.dumps(value) if isinstance(value, bool) else str(value)
        text = in_list(value) if operator == "in" else text
        is_name = {"field": leaf["field"], "op": operator} == NAME
        suffix = "" if operator == "eq" else f"__{operator}"
        query.append(("search", text) if is_name else (f"{leaf['field']}{suffix}", text))
    query += [("columns", each.removeprefix(ATTR)) for each in search.get("fields", [])]
    query += [("ordering", search["ordering"])] if search.get("ordering") else []
    return urlencode(query)

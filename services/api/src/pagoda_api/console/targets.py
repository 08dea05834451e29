"""What a reference may point to: suggested by what is typed, and found by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from pagoda_api.console.asking import Query, ask
from pagoda_api.console.frame import page, show
from pagoda_api.console.values import AttrField, label, list_of, name_of, parts

SUGGESTIONS = 20
KINDS = ("object", "named_object", "group", "role", "user", "entity")
ENTRIES = "entry-list"
INDEXED = 3
"""Characters from which on an index leads to the entries that have them anywhere in their name."""
FEW = 10_000
"""Entries that are gone through one by one for less."""


@page
@require_safe
def suggestions(request: HttpRequest) -> HttpResponse:
    """Suggest what a reference may point to, by what is typed."""
    element = request.GET.get("type", "")
    if element not in KINDS:
        return show(request, "_suggestions.html", {"labels": []})
    text, _ = parts(next(iter(request.GET.getlist(request.GET.get("of", ""))), ""))
    found: dict[str, None] = {}
    for entity in (request.GET.getlist("entity") or [""])[:SUGGESTIONS]:
        rows = _found(request, list_of(element), text, {"entity": entity} if entity else {})
        found |= {label(each): None for each in rows}
    return show(request, "_suggestions.html", {"labels": [*found][:SUGGESTIONS]})


def _found(request: HttpRequest, listed: str, text: str, of: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Return what is called so, twice where two searches find it.

    For one or two characters the beginnings of names and of words in them come first, to which an index
    leads, and other parts of names only where no index does or few entries are to be gone through for them.
    """
    anywhere = {**of, "search": text} if text else of
    if listed != ENTRIES or not 0 < len(text) < INDEXED:
        return _listed(request, listed, anywhere)
    rows, is_led = list[Mapping[str, Any]](), True
    for begun in ({"name__startswith": text}, {"name__contains": f" {text}"}):
        if len(rows) >= SUGGESTIONS:  # else the index leads to all of these again
            return rows
        answer = ask(request, listed, query={**of, **begun, "limit": str(SUGGESTIONS)})
        is_led &= answer.is_ok
        rows += answer.data["results"] if answer.is_ok else []
    if len(rows) < SUGGESTIONS and not (is_led and _are_many(request, listed, of)):
        rows += _listed(request, listed, anywhere)
    return rows


def _are_many(request: HttpRequest, listed: str, of: Mapping[str, str]) -> bool:
    among = ask(request, listed, query={**of, "limit": "1"})
    return not among.is_ok or among.data["count"] > FEW


def find_target(request: HttpRequest, field: AttrField, text: str) -> object:
    """Return the id of what a row names, by its label or by its name alone; else what was typed.

    The field is told why, where the row names nothing, or more than one.
    """
    listed, (name, number) = list_of(field.element), parts(text)
    if number is not None:
        named = ask(request, listed.replace("-list", "-detail"), {"pk": number})
        if named.is_ok and name.strip() in ("", name_of(named.data)):
            return number
    exact: list[object] = []
    by_name = "name" if listed == ENTRIES else "search"
    for each in [str(each["id"]) for each in field.attr.get("referral") or ()][:SUGGESTIONS] or [""]:
        rows = _listed(request, listed, {by_name: text.strip(), **({"entity": each} if each else {})})
        exact += [row["id"] for row in rows if name_of(row) == text.strip()]
    if len(exact) == 1:
        return exact[0]
    several, none = (
        gettext("Several are called “%s”: choose one of them, as name #id."),
        gettext("None that you may see is called “%s”: choose one that is suggested, or name #id."),
    )
    field.unknown.append((several if exact else none) % text)
    return text


def _listed(request: HttpRequest, listed: str, query: Query) -> list[Mapping[str, Any]]:
    answer = ask(request, listed, query={**query, "limit": str(SUGGESTIONS)})
    return list(answer.data["results"]) if answer.is_ok else []

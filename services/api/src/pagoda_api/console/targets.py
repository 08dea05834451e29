"""What a reference may point to: suggested by what is typed, and found by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import batched
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from pagoda_api.console.asking import Answer, ask
from pagoda_api.console.frame import page, show
from pagoda_api.console.values import AttrField, label, list_of, name_of, parts
from pagoda_api.resources.searching import MAX_ENTITIES
from pagoda_plugin_sdk.rules.text import clean_name

SUGGESTIONS = 20
KINDS = ("object", "named_object", "group", "role", "user", "entity")
ENTRIES, USERS = "entry-list", "user-list"
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
    rows = _found(request, list_of(element), clean_name(text), request.GET.getlist("entity")[:MAX_ENTITIES])
    return show(request, "_suggestions.html", {"labels": [*dict.fromkeys(map(label, rows))][:SUGGESTIONS]})


def _found(request: HttpRequest, listed: str, text: str, entities: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return what is called so, twice where two searches find it.

    For one or two characters the beginnings of names and of words in them come first, to which an index
    leads, and other parts of names only where no index does or few entries are to be gone through for them.
    """
    if listed != ENTRIES:
        return _results(
            ask(request, listed, query={"limit": SUGGESTIONS, **({"search": text} if text else {})})
        )
    anywhere = ("contains", text) if text else None
    if not 0 < len(text) < INDEXED:
        return _results(_search(request, entities, anywhere))
    rows, is_led = list[Mapping[str, Any]](), True
    for begun in (("startswith", text), ("contains", f" {text}")):
        if len(rows) >= SUGGESTIONS:  # else the index leads to all of these again
            return rows
        answer = _search(request, entities, begun)
        is_led &= answer.is_ok
        rows += _results(answer)
    if len(rows) < SUGGESTIONS and not (is_led and _are_many(request, entities)):
        rows += _results(_search(request, entities, anywhere))
    return rows


def _are_many(request: HttpRequest, entities: Sequence[str]) -> bool:
    among = _search(request, entities, None, limit=1)
    return not among.is_ok or among.data["count"] > FEW


def find_target(request: HttpRequest, field: AttrField, text: str) -> object:
    """Return the id of what a row names, by its label or by its name alone; else what was typed.

    An id without a name counts where nothing has such a name. The field is told why, where the row names
    nothing, or more than one.
    """
    listed, (name, number) = list_of(field.element), parts(text)
    if name.strip() and _is_called(request, listed, number, name):
        return number
    exact = _called(request, field, listed, clean_name(text))
    if len(exact) == 1:
        return exact[0]
    if not exact and not name.strip() and _is_called(request, listed, number, ""):
        return number
    several, none = (
        gettext("Several are called “%s”: choose one of them, as name #id."),
        gettext("None that you may see is called “%s”: choose one that is suggested, or name #id."),
    )
    field.unknown.append((several if exact else none) % text)
    return text


def _is_called(request: HttpRequest, listed: str, number: int | None, name: str) -> bool:
    """Return whether there is one of this id, and of this name if one is given."""
    if number is None:
        return False
    found = ask(request, listed.replace("-list", "-detail"), {"pk": number})
    return found.is_ok and (not name or clean_name(name) == clean_name(name_of(found.data)))


def _called(request: HttpRequest, field: AttrField, listed: str, name: str) -> list[object]:
    """Return the ids of what has exactly this name; two or more where several do."""
    if not name:
        return []
    if listed != ENTRIES:
        by_name = "username" if listed == USERS else "name"
        return [row["id"] for row in _results(ask(request, listed, query={by_name: name}))]
    exact: list[object] = []
    entities = [each["id"] for each in field.attr.get("referral") or ()]
    for some in [*batched(entities, MAX_ENTITIES)] or [()]:
        exact += [row["id"] for row in _results(_search(request, some, ("eq", name)))]
        if len(exact) > 1:
            break
    return exact


def _search(
    request: HttpRequest,
    entities: Sequence[int | str],
    named: tuple[str, str] | None,
    limit: int = SUGGESTIONS,
) -> Answer:
    """Ask for entries of the entities, of all without one, by an operator and what it compares names with."""
    given: dict[str, Any] = {"entities": [*entities], "limit": limit}
    if named is not None:
        given["where"] = {"field": "name", "op": named[0], "value": named[1]}
    return ask(request, "search", method="POST", data=given)


def _results(answer: Answer) -> list[Mapping[str, Any]]:
    return list(answer.data["results"]) if answer.is_ok else []

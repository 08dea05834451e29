"""Who refers to an entry, and what is around it: by current values, as far as somebody may see all of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from pagoda.domain.access.querysets import readable
from pagoda.domain.entity.models import EntityAttr
from pagoda.domain.entry.models import AttributeReference, Entry
from pagoda.domain.user.models import Level
from pagoda.domain.user.permissions import Viewer, may
from pagoda_plugin_sdk.exceptions import COMPARED_NAMES, near_misses
from pagoda_plugin_sdk.rules.attr_types import TYPES, AttrType
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.text import clean_name, spellings
from pagoda_plugin_sdk.washing import shown

MAX_DEPTH: Final = 5
MAX_NODES: Final = 500
_EDGES_OF_A_NODE: Final = 10  # on average: what a graph shows at most

_SOURCE: Final = "value__parent_entry__"
_ATTR: Final = "value__parent_attr__schema__"
_TARGET: Final = "entry__"


def references_between(viewer: Viewer | None) -> QuerySet[AttributeReference]:
    """Return the references of which `viewer` sees the attribute, who refers, and what is referred to."""
    references = AttributeReference.objects.filter(
        value__is_latest=True,
        value__is_active=True,
        value__parent_attr__is_active=True,
        **{f"{_ATTR}is_active": True, f"{_SOURCE}is_active": True, f"{_TARGET}is_active": True},
    )
    if viewer is not None:
        for place in (_SOURCE, _TARGET):
            references = references.filter(
                may(viewer, Level.READABLE, "entry", place),
                may(viewer, Level.READABLE, "entity", f"{place}schema__"),
            )
        references = references.filter(may(viewer, Level.READABLE, "attr", _ATTR))
    return references


def references_to(entry: Entry, viewer: Viewer | None, attr: str = "") -> QuerySet[Any, dict[str, Any]]:
    """Return who refers to an entry that `viewer` sees, by attribute: see `shown_reference`; Any: columns.

    Raises:
        ValidationError: keyed by ``attr``; `viewer` may read none of this name that points to entries.
    """
    references = references_between(viewer).filter(entry=entry)
    if attr:
        _require_pointing(attr, viewer)
        references = references.filter(**{f"{_ATTR}name__in": spellings([attr])})
    rows: QuerySet[Any, dict[str, Any]] = references.values(*_COLUMNS)
    return rows.order_by(f"{_ATTR}pk", f"{_SOURCE}pk", "ordinal")


def _require_pointing(name: str, viewer: Viewer | None) -> None:
    pointing = [each for each in TYPES.values() if each & AttrType.OBJECT]
    attrs: QuerySet[EntityAttr] = EntityAttr.objects.active().filter(type__in=pointing)
    if viewer is not None:
        attrs = readable(attrs, viewer)
    if not attrs.filter(name__in=spellings([name])).exists():
        known = attrs.order_by("name").values_list("name", flat=True).distinct()[:COMPARED_NAMES]
        fault = say(
            "There is no attribute {name} that points to entries.{misses}",
            name=shown(name),
            misses=near_misses(clean_name(name), known),
        )
        raise ValidationError({"attr": [fault]}, code="unknown")


_COLUMNS: Final = (
    *("name", f"{_ATTR}pk", f"{_ATTR}name", f"{_ATTR}on_delete"),
    *(
        f"{place}{column}"
        for place in (_SOURCE, _TARGET)
        for column in ("pk", "name", "schema_id", "schema__name")
    ),
)


def shown_reference(row: dict[str, Any]) -> dict[str, Any]:
    """Return ``{"entry", "attr", "name"}`` of a row of `references_to`; Any: JSON."""
    attr = {"id": row[f"{_ATTR}pk"], "name": row[f"{_ATTR}name"], "on_delete": row[f"{_ATTR}on_delete"]}
    return {"entry": _entry(row, _SOURCE), "attr": attr, "name": row["name"]}


@dataclass(slots=True)
class Graph:
    """Entries and the references between them."""

    nodes: dict[int, dict[str, Any]] = field(default_factory=dict)  # {"id", "name", "schema", "depth"}
    edges: dict[int, dict[str, Any]] = field(default_factory=dict)  # {"source", "target", "attr", "name"}
    is_cut: bool = False  # whether there is more at this depth


def graph_around(entry: Entry, viewer: Viewer | None, *, depth: int, limit: int) -> Graph:
    """Return what refers to an entry and what it refers to, and so on, in two queries for each step.

    At most `limit` entries, the nearest first; each edge is between two of them.
    """
    schema = {"id": entry.schema_id, "name": entry.entity_name}
    graph = Graph({entry.pk: {"id": entry.pk, "name": entry.name, "schema": schema, "depth": 0}})
    frontier: Collection[int] = [entry.pk]
    for step in range(1, depth + 1):
        before = set(graph.nodes)
        for condition in (Q(entry__in=frontier), Q(value__parent_entry__in=frontier)):
            _grow(graph, references_between(viewer).filter(condition), step, limit)
        frontier = sorted(graph.nodes.keys() - before)
        if not frontier:
            break
    return graph


def _grow(graph: Graph, references: QuerySet[AttributeReference], depth: int, limit: int) -> None:
    most = limit * _EDGES_OF_A_NODE
    rows = list(references.order_by("pk").values("pk", *_COLUMNS)[: most + 1])
    graph.is_cut |= len(rows) > most
    for row in rows[:most]:
        ends = [_entry(row, place) for place in (_SOURCE, _TARGET)]
        new = {end["id"]: end | {"depth": depth} for end in ends if end["id"] not in graph.nodes}
        if len(graph.nodes) + len(new) > limit or len(graph.edges) >= most:
            graph.is_cut = True
            continue
        graph.nodes |= new
        attr = {"id": row[f"{_ATTR}pk"], "name": row[f"{_ATTR}name"]}
        source, target = (end["id"] for end in ends)
        graph.edges[row["pk"]] = {"source": source, "target": target, "attr": attr, "name": row["name"]}


def _entry(row: dict[str, Any], place: str) -> dict[str, Any]:
    schema = {"id": row[f"{place}schema_id"], "name": row[f"{place}schema__name"]}
    return {"id": row[f"{place}pk"], "name": row[f"{place}name"], "schema": schema}

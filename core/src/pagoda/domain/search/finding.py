"""Entries that are searched for: filtered, ordered, counted and cut into pages, as somebody may see them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.reading import with_values
from pagoda.domain.search.bounding import bounded
from pagoda.domain.search.conditions import EVERYWHERE, Condition
from pagoda.domain.search.counting import (
    ALL_FOUND,
    FEW,
    Count,
    CountOf,
    count_rows,
    expected_rows,
    is_many,
)
from pagoda.domain.search.ordering import Order, Page, read_order
from pagoda.domain.search.resolving import ATTR, Resolver
from pagoda.domain.search.text import has_text
from pagoda.domain.user.permissions import Viewer
from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.text import clean_name
from pagoda_plugin_sdk.washing import shown

MAX_FIELDS: Final = 200
_COUNTED: Final = "counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked for."""

    condition: Condition = EVERYWHERE
    is_filtered: bool = False  # whether the rows that it is asked of are some of the entries only
    entity_ids: Collection[int] | None = None  # None: of all entities
    text: str = ""  # words to have
    ordering: str = ""
    fields: Sequence[str] = ()  # to show; none: all
    known_fields: Collection[str] = ()  # what an entry shows besides its attributes' values
    cursor: str | None = None  # "": the first page by cursors; None: by offset
    offset: int = 0
    limit: int = 100

    @property
    def is_narrowed(self) -> bool:
        """Whether it asks for some of the entries only, beside their entities."""
        return self.is_filtered or self.condition != EVERYWHERE or bool(self.text)

    @property
    def is_first(self) -> bool:
        """Whether it asks for the first page."""
        return not self.offset and not self.cursor

    @property
    def is_plain(self) -> bool:
        """Whether it asks for a page of the rows as they came."""
        return self.condition == EVERYWHERE and not self.text and not self.ordering


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundEntries:
    """What was found."""

    rows: list[Entry]  # they bring their values
    count: Count
    next: str | None  # cursors of the pages around, where the query has one
    previous: str | None
    has_next: bool


def find(rows: QuerySet[Entry], viewer: Viewer | None, query: Query) -> FoundEntries:
    """Return a page of those of `rows`, which `viewer` may read, that the query asks for.

    Queries: the page, the count, which a plain page brings along, one for the attributes that are named, one
    for PostgreSQL's estimate, and one more where no index helps.

    Raises:
        ValidationError: keyed by what is wrong in the query, see `Resolver.condition`, `read_order` and
            `Order.page`; or it took too long.
    """
    resolver = Resolver(viewer, query.entity_ids)
    with nullcontext() if query.is_plain and not query.is_filtered else bounded():
        if query.entity_ids is not None:
            rows = rows.filter(schema__in=query.entity_ids)
        rows = rows.filter(resolver.condition(query.condition, rows))
        if query.text:
            rows = rows.filter(has_text(query.text, rows, viewer))
        order = read_order(query.ordering, resolver, rows)
        _check_fields(query, resolver)
        count, page = _counted_page(order, rows, viewer, query)
    if query.is_first and page.next is None:
        count = Count(len(page.rows), is_exact=True)
    return FoundEntries(
        rows=page.rows,
        count=count,
        next=page.next,
        previous=page.previous,
        has_next=page.next is not None,
    )


def _counted_page(
    order: Order, rows: QuerySet[Entry], viewer: Viewer | None, query: Query
) -> tuple[Count, Page]:
    """Return the count and the page; in one query where either is cheap along with the other."""
    valued = with_values(rows, viewer)
    expected = None if query.is_plain and not query.is_filtered else expected_rows(rows)
    if expected and expected <= FEW and not query.cursor:
        page = _page(order.sorting(), valued.annotate(**{_COUNTED: ALL_FOUND}), query)
        if page.rows:
            return Count(vars(page.rows[0])[_COUNTED], is_exact=True), page
    elif (query.is_plain and not expected) or (not query.is_narrowed and expected and is_many(expected)):
        is_of_one = query.entity_ids is not None and len(query.entity_ids) == 1
        counted = CountOf(rows, expected, by_index=is_of_one or bool(query.ordering))
        page = _page(order, valued.annotate(**{_COUNTED: counted}), query)
        if page.rows:
            return counted.read(vars(page.rows[0])[_COUNTED]), page
    count = count_rows(rows, expected)
    if count.is_exact and (query.is_narrowed or query.entity_ids is not None):
        order = order.sorting()
    return count, _page(order, valued, query)


def _page(order: Order, rows: QuerySet[Entry], query: Query) -> Page:
    if query.cursor is not None:
        return order.page(rows, query.cursor, query.limit)
    found = list(order.applied(rows)[query.offset : query.offset + query.limit + 1])
    return Page(found[: query.limit], "" if len(found) > query.limit else None, None)


def _check_fields(query: Query, resolver: Resolver) -> None:
    if len(query.fields) > MAX_FIELDS:
        fault = say(
            "It has {count:,} parts, at most {max_fields} are allowed.",
            count=len(query.fields),
            max_fields=MAX_FIELDS,
        )
        raise ValidationError({"fields": [fault]}, code="too_many")
    resolver.prepare(field for field in query.fields if field.startswith(ATTR))
    for field in query.fields:
        if field.startswith(ATTR):
            resolver.attributes("fields", field.removeprefix(ATTR))
        elif field not in query.known_fields:
            misses = near_misses(field, query.known_fields)
            known = ", ".join([*query.known_fields, "attr.<name>"])
            fault = say(
                "There is no field {field}.{misses} There are: {known}.",
                field=shown(field),
                misses=misses,
                known=known,
            )
            raise ValidationError({"fields": [fault]}, code="unknown")


def limited(shown_entry: dict[str, Any], fields: Collection[str]) -> dict[str, Any]:
    """Return an entry, as it is shown, with the fields that are asked for; none: with all. Any: JSON."""
    if not fields:
        return shown_entry
    names = {clean_name(field.removeprefix(ATTR)) for field in fields if field.startswith(ATTR)}
    kept = {key: value for key, value in shown_entry.items() if key in fields}
    if names and "attrs" not in fields:
        kept["attrs"] = [attr for attr in shown_entry["attrs"] if clean_name(attr["name"]) in names]
    return kept

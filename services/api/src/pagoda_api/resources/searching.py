"""Searches over several entities: ``/api/v2/search/``."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda.domain.access import readable
from pagoda.domain.entry.models import Entry
from pagoda.domain.search.conditions import EVERYWHERE, read_tree
from pagoda.domain.search.finding import Query, find, limited
from pagoda.domain.search.text import marked
from pagoda.domain.user.permissions import Viewer
from pagoda_api.fields import IdOrName, Unchecked, find_entities
from pagoda_api.pagination import DEFAULT_LIMIT, MAX_LIMIT
from pagoda_api.resources.entries import EntrySerializer, ListedEntrySerializer, show
from pagoda_api.strict import StrictSerializer, StrictView, checked

MAX_ENTITIES = 50


@extend_schema_field({"$ref": "#/components/schemas/Condition"})
class UncheckedTree(Unchecked):
    """A tree of conditions, as far as the OpenAPI schema goes."""


class SearchSerializer(StrictSerializer):
    """What is searched for; all of it has to hold."""

    entities = serializers.ListField(
        child=IdOrName(), required=False, max_length=MAX_ENTITIES, help_text="By id or name; none: all."
    )
    where = UncheckedTree(
        required=False,
        help_text='`{"and": [...]}`, `{"or": [...]}`, `{"not": {...}}` or `{"field": "attr.ram", "op": "gt", '
        '"value": 4}`; fields and operators are those of the list of entries.',
    )
    text = serializers.CharField(
        required=False, allow_blank=True, max_length=1_000, help_text="Words in names, notes and texts."
    )
    ordering = serializers.CharField(required=False, allow_blank=True, max_length=1_000)
    fields = serializers.ListField(  # type: ignore[assignment]  # a field of that name, not DRF's property
        child=serializers.CharField(max_length=1_000), required=False
    )
    cursor = serializers.CharField(
        required=False, allow_blank=True, allow_null=True, max_length=10_000, help_text="`next` of a page."
    )
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MAX_LIMIT)


class MarkedSerializer(serializers.Serializer[Any]):
    """A text that has words which were searched for; Any, as it is shown and never made."""

    field = serializers.CharField(help_text="Such as `name` or `attr.os`.")
    text = serializers.CharField(help_text="Around the first of the words.")
    marks = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2),
        help_text="From which character of it to which.",
    )


class FoundEntrySerializer(ListedEntrySerializer):
    """An entry that was found, with where it has the words; without `fields` that are not asked for."""

    highlights = MarkedSerializer(many=True, required=False)

    class Meta(EntrySerializer.Meta):
        fields = [*EntrySerializer.Meta.fields, "highlights"]
        read_only_fields = fields


class FoundSerializer(serializers.Serializer[Any]):
    """A page of what was found; Any, as it is shown and never made."""

    count = serializers.IntegerField()
    count_is_exact = serializers.BooleanField(help_text="False: it is the database's estimate.")
    next = serializers.CharField(allow_null=True, help_text="The `cursor` of the page that follows.")
    previous = serializers.CharField(allow_null=True)
    results = FoundEntrySerializer(many=True)


def search(given: dict[str, Any], user: Viewer) -> dict[str, Any]:
    """Return the page that the fields of a `SearchSerializer` ask for.

    Raises:
        ValidationError: keyed by the field.
    """
    text = given.get("text", "").strip()
    entities = given.get("entities")
    query = Query(
        condition=read_tree(given["where"]) if "where" in given else EVERYWHERE,
        entity_ids=find_entities(entities, user, field="entities") if entities else None,
        text=text,
        ordering=given.get("ordering", ""),
        fields=given.get("fields", []),
        known_fields=EntrySerializer.Meta.fields,
        cursor=given.get("cursor") or "",
        limit=given.get("limit", DEFAULT_LIMIT),
    )
    rows = readable(Entry.objects.active().select_related("schema", "created_user"), user)
    found = find(rows, user, query)
    results = show(found.rows, user, ())
    for row in results:
        if text:
            row["highlights"] = marked(row, text)
    kept = (*query.fields, "highlights") if query.fields else ()
    return {
        "count": found.count.number,
        "count_is_exact": found.count.is_exact,
        "next": found.next,
        "previous": found.previous,
        "results": [limited(row, kept) for row in results],
    }


class SearchView(StrictView):
    """Entries of several entities by a tree of conditions and by words."""

    @extend_schema(request=SearchSerializer, responses=FoundSerializer)
    def post(self, request: Request) -> Response:
        """Search; nothing is changed by it."""
        return Response(search(checked(SearchSerializer(data=request.data)), request.user))

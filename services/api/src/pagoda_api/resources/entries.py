"""Entries: ``/api/v2/entries/``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import django_filters
from django.conf import settings
from django.db.models import F, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda.audit.history import History
from pagoda.domain.access import attrinfo_after_write, attrinfo_for, readable
from pagoda.domain.entry import services
from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.past import as_of, existing_at
from pagoda.domain.entry.reading import with_values
from pagoda.domain.search.bounding import bounded
from pagoda.domain.search.counting import Count, count_rows
from pagoda.domain.search.filters import composed
from pagoda.domain.search.finding import FoundEntries, find, limited
from pagoda.domain.search.referring import MAX_DEPTH, MAX_NODES, graph_around, references_to, shown_reference
from pagoda.domain.search.values import Compared, ValueKind
from pagoda.domain.user.permissions import viewer
from pagoda.hooks.bridge import filter_entry_attrs
from pagoda_api.authentication import actor
from pagoda_api.conditional import ConditionalViewSet, guarded
from pagoda_api.fields import (
    NAME,
    IdOrName,
    NamedSerializer,
    UncheckedName,
    UncheckedText,
    UncheckedValues,
    UserSerializer,
    find_entity,
    find_entity_at,
    found_or_404,
)
from pagoda_api.pagination import FoundPagination, PagePagination, number_parameter, whole_number_schema
from pagoda_api.resources.conditions import ConditionFilterBackend, condition_parameters, query_of
from pagoda_api.resources.entry_references import GraphSerializer, ReferringSerializer, named
from pagoda_api.resources.filters import StandingFilter
from pagoda_api.resources.histories import (
    AT,
    HistorySerializer,
    RevertSerializer,
    activity_of,
    history_page,
    moment_of,
)
from pagoda_api.strict import StrictSerializer, checked, sent_back
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.value_types import attrinfo_of
from pagoda_plugin_sdk.washing import shown

type AttrInfo = list[dict[str, Any]]  # Any: JSON values


class AttrInfoSerializer(serializers.Serializer[Any]):
    """One attribute, as the ``entry.get_attrs`` hooks leave it; Any, as it is shown and never made."""

    id = serializers.IntegerField(allow_null=True, help_text="null: a plugin made the attribute up.")
    name = serializers.CharField()
    type = serializers.CharField(help_text="Such as `string` or `array_named_object`.")
    value = serializers.JSONField(allow_null=True)
    is_mandatory = serializers.BooleanField()
    is_readable = serializers.BooleanField()


class EntrySerializer(serializers.ModelSerializer[Entry]):
    """An entry with its attributes, which are in the context: ``{"attrs": {entry id: [...]}}``."""

    schema = NamedSerializer(read_only=True)
    created_user = UserSerializer(read_only=True, allow_null=True)
    attrs = serializers.SerializerMethodField()

    class Meta:
        model = Entry
        fields = [
            "id",
            "name",
            "schema",
            "note",
            "is_active",
            "created_time",
            "created_user",
            "updated_time",
            "attrs",
        ]
        read_only_fields = fields

    @extend_schema_field(AttrInfoSerializer(many=True))
    def get_attrs(self, entry: Entry) -> AttrInfo:
        """Return the attributes of `entry`."""
        attrs: AttrInfo = self.context["attrs"][entry.pk]
        return attrs

    def to_representation(self, entry: Entry) -> dict[str, Any]:
        """Return the fields, as DRF makes them.

        By hand: making the fields and asking each took a quarter of the time of a page. A test compares.
        """
        user = entry.created_user
        return {
            "id": entry.pk,
            "name": entry.name,
            "schema": {"id": entry.schema.pk, "name": entry.schema.name},
            "note": entry.note,
            "is_active": entry.is_active,
            "created_time": _moment(entry.created_time),
            "created_user": None if user is None else {"id": user.pk, "username": user.username},
            "updated_time": _moment(entry.updated_time),
            "attrs": self.get_attrs(entry),
        }


class ListedEntrySerializer(EntrySerializer):
    """An entry among others: with `fields` what these ask for, and no other field."""

    is_in_parts = True  # the OpenAPI schema has none of its fields required


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class EntryUpdateSerializer(StrictSerializer):
    """What may change of an entry; the host's service checks the values."""

    name = UncheckedName(required=False)
    note = UncheckedText(required=False)
    attrs = UncheckedValues(
        required=False,
        help_text='`{name: value}`, or `[{"id" or "name", "value"}]`; others keep their value.',
    )

    def validate_attrs(self, attrs: object) -> object:
        """Return `attrs` when they have one of the two forms."""
        if not isinstance(attrs, dict | list):
            raise ValidationError(
                say(
                    'Attributes are {{name: value}} or [{{"id" or "name", "value"}}], not {attrs}.',
                    attrs=shown(attrs),
                ),
                code="type",
            )
        most = settings.PAGODA.domain_max_attributes
        if len(attrs) > most:
            raise ValidationError(
                say(
                    "{count:,} values are given at once, and an entity has {most:,} attributes at most "
                    "(DOMAIN_MAX_ATTRIBUTES).",
                    count=len(attrs),
                    most=most,
                ),
                code="too_many",
            )
        return attrs


class EntryCreateSerializer(EntryUpdateSerializer):
    """A new entry; its entity is named by ``schema`` or ``entity``."""

    one_of = ("schema", "entity")

    name = UncheckedName()
    schema = IdOrName(required=False)
    entity = IdOrName(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the fields when they name the entity once."""
        given = [field for field in self.one_of if field in attrs]
        if len(given) != 1:
            fault = say("Give the entity's id or name once, as `schema` or as `entity`.")
            raise ValidationError({field: [fault] for field in given or ("schema",)})
        return attrs


def show(page: Sequence[Entry], user: Any, fields: Sequence[str]) -> list[dict[str, Any]]:
    """Return entries with what `user` (Any: of the request) may see of them, as far as it is asked for."""
    return [limited(row, fields) for row in _shown_with(page, attrinfo_for(page, user))]


def _shown_with(page: Sequence[Entry], attrs: Mapping[int, AttrInfo]) -> list[dict[str, Any]]:
    filtered = {entry.pk: filter_entry_attrs(entry, attrs[entry.pk], False) for entry in page}
    return list(EntrySerializer(page, many=True, context={"attrs": filtered}).data)


_OF_THE_PAST: Final = ("at", "entity", "is_active", "limit", "offset")


class EntryFilter(StandingFilter):
    """Which entries a list shows."""

    entity = django_filters.CharFilter(method="of_entity", label="Id or name of their entity.")

    search = django_filters.CharFilter(method="by_part", label="Part of the name.")

    class Meta:
        model = Entry
        fields: list[str] = []

    def by_part(self, queryset: QuerySet[Entry], name: str, value: str) -> QuerySet[Entry]:
        """Return those with the text in their name, as the index of parts of names finds them."""
        return queryset.filter(Compared(ValueKind.TEXT, "contains", composed(value), of=F("name")))

    def of_entity(self, queryset: QuerySet[Entry], name: str, value: str) -> QuerySet[Entry]:
        """Leave it to the search: PostgreSQL is to know the entity's id, and so how many it has."""
        return queryset


@extend_schema_view(
    retrieve=extend_schema(responses=EntrySerializer),
    partial_update=extend_schema(request=EntryUpdateSerializer, responses=EntrySerializer),
    destroy=extend_schema(responses={204: None}),
)
class EntryViewSet(ConditionalViewSet[Entry]):
    """Entries that the user may read; deleted ones too, where they are asked for by their id."""

    serializer_class = EntrySerializer
    filterset_class = EntryFilter
    filter_backends = [ConditionFilterBackend]
    pagination_class = FoundPagination
    lookup_value_regex = "[0-9]+"
    without_body = ("restore",)
    parameters = {
        "retrieve": ("at",),
        "history": PagePagination.query_parameters,
        "references": ("attr", *PagePagination.query_parameters),
        "graph": ("depth", "limit"),
    }

    def get_queryset(self) -> QuerySet[Entry]:
        """Return the entries that the user may read, the oldest first: new ones don't shift pages."""
        entries = readable(
            Entry.objects.select_related("schema", "created_user").order_by("id"), self.request.user
        )
        if self.action in ("retrieve", "partial_update"):
            is_update = self.action == "partial_update"
            entries = with_values(entries, self.request.user, for_update=is_update)
        return entries

    @extend_schema(parameters=[AT, *condition_parameters()], responses=ListedEntrySerializer(many=True))
    def list(self, request: Request) -> Response:
        """List a page of entries with their attributes.

        Any field filters: `name`, `note`, `id`, `created_time`, `updated_time`, `created_user`, and
        attributes as `attr.<name>`, through references as `attr.host.attr.os`. Behind the field comes `__`
        and one of `eq`, `ne`, `gt`, `gte`, `lt`, `lte`, `contains`, `startswith`, `regex`, `in`, `empty`;
        without it `eq` is meant.
        """
        if (at := moment_of(request)) is not None:
            return self._list_at(request, at)
        rows = self.filter_queryset(self.get_queryset())
        pages = FoundPagination()
        query = query_of(request, pages, EntrySerializer.Meta.fields)
        found = find(rows, request.user, query)
        return pages.answer(request, found, query.offset, show(found.rows, request.user, query.fields))

    @extend_schema(request=EntryCreateSerializer, responses={201: EntrySerializer})
    def create(self, request: Request) -> Response:
        """Create an entry with its values."""
        data = checked(EntryCreateSerializer(data=request.data))
        field = "schema" if "schema" in data else "entity"
        entity = find_entity(data.pop(field), request.user, field=field, to_fill=True)
        entry = services.create_entry(actor(request), entity, **data)
        return self._written(entry, status.HTTP_201_CREATED)

    @extend_schema(parameters=[AT])
    def retrieve(self, request: Request, pk: str) -> Response:
        """Show an entry."""
        at = moment_of(request) if request.method in ("GET", "HEAD") else None
        if at is not None:
            rows = existing_at(self.get_queryset(), at)
            entry = found_or_404(rows, pk, noun=say("entry of {at} with the id", at=at.isoformat()))
            return self._shown(entry, attrinfo_of(as_of([entry], at, viewer(request.user))[entry.pk]))
        entry = self._entry(pk)
        return self._shown(entry, attrinfo_for([entry], request.user)[entry.pk])

    @guarded
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change what is given; equal values store nothing."""
        entry = self._entry(pk)
        own_fields = EntrySerializer(entry, context={"attrs": {entry.pk: []}}).data
        data = checked(sent_back(EntryUpdateSerializer, request.data, own_fields))
        return self._written(services.update_entry(entry, actor(request), **data))

    @guarded
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete it softly; deleting a deleted one does nothing."""
        entry = self._entry(pk)
        services.delete_entry(entry, actor(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=EntrySerializer)
    @action(detail=True, methods=["post"])
    @guarded
    def restore(self, request: Request, pk: str) -> Response:
        """Undo its deletion."""
        entry = self._entry(pk)
        return self._written(services.restore_entry(entry, actor(request)))

    @extend_schema(request=RevertSerializer, responses=EntrySerializer)
    @action(detail=True, methods=["post"])
    @guarded
    def revert(self, request: Request, pk: str) -> Response:
        """Set an attribute, or the entry, to what the user may see of an earlier one, as a change does."""
        entry = self._entry(pk)
        given = checked(RevertSerializer(data=request.data))
        if "at" in given:
            return self._written(services.revert_entry(entry, actor(request), given["at"]))
        return self._written(services.revert_value(entry, actor(request), given["version"]))

    @extend_schema(responses=HistorySerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], filter_backends=[], pagination_class=PagePagination)
    def history(self, request: Request, pk: str) -> Response:
        """List what became of it and of its values that the user may read, the newest first."""
        return history_page(self, History(self._entry(pk), request.user))

    @extend_schema(
        parameters=[OpenApiParameter("attr", NAME, description="Name of the attribute that refers to it.")],
        responses=ReferringSerializer(many=True),
        filters=False,
    )
    @action(detail=True, methods=["get"], filter_backends=[], pagination_class=PagePagination)
    def references(self, request: Request, pk: str) -> Response:
        """List who refers to it, by attribute, as far as the user may see both."""
        found = references_to(self._entry(pk), request.user, named(request, "attr"))
        page = self.paginate_queryset(found) or []
        rows = [shown_reference(row) for row in page]
        return self.get_paginated_response(rows)

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "depth",
                whole_number_schema(1, MAX_DEPTH),
                description="Steps from the entry; 1 unless given.",
            ),
            OpenApiParameter(
                "limit", whole_number_schema(1, MAX_NODES), description="Entries at most; 100 unless given."
            ),
        ],
        responses=GraphSerializer,
        filters=False,
    )
    @action(detail=True, methods=["get"], filter_backends=[], pagination_class=None)
    def graph(self, request: Request, pk: str) -> Response:
        """Show what refers to it and what it refers to, and so on, the nearest first."""
        depth = number_parameter(request, "depth", 1, lowest=1, highest=MAX_DEPTH)
        limit = number_parameter(request, "limit", 100, lowest=1, highest=MAX_NODES)
        graph = graph_around(self._entry(pk), request.user, depth=depth, limit=limit)
        nodes, edges = [*graph.nodes.values()], [*graph.edges.values()]
        return Response({"nodes": nodes, "edges": edges, "is_cut": graph.is_cut})

    def _list_at(self, request: Request, at: datetime) -> Response:
        """List what was there at a time, by the filters that can be answered for it."""
        given = request.query_params
        is_active = activity_of(request, _OF_THE_PAST)
        rows = self.get_queryset()
        if entity := given.get("entity"):
            rows = rows.filter(schema=find_entity_at(entity, request.user, at, field="entity"))
        rows = existing_at(rows, at, is_active=is_active)
        pages = FoundPagination()
        offset, limit = pages.get_offset(request), pages.get_limit(request)
        with bounded():
            count, page = count_rows(rows), [*rows[offset : offset + limit + 1]]
        has_next, page = len(page) > limit, page[:limit]
        if not has_next and not offset:
            count = Count(len(page), is_exact=True)
        states = as_of(page, at, viewer(request.user))
        results = _shown_with(page, {pk: attrinfo_of(state) for pk, state in states.items()})
        found = FoundEntries(rows=page, count=count, next=None, previous=None, has_next=has_next)
        return pages.answer(request, found, offset, results)

    def _entry(self, pk: str) -> Entry:
        return found_or_404(self.get_queryset(), pk, noun="entry")

    def _written(self, entry: Entry, status_code: int = status.HTTP_200_OK) -> Response:
        return self._shown(entry, attrinfo_after_write(entry, self.request.user), status_code)

    def _shown(self, entry: Entry, attrinfo: AttrInfo, status_code: int = status.HTTP_200_OK) -> Response:
        attrs = {entry.pk: filter_entry_attrs(entry, attrinfo, True)}
        return Response(EntrySerializer(entry, context={"attrs": attrs}).data, status=status_code)

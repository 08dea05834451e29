"""Entities: ``/api/v2/entities/``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda.audit.history import History
from pagoda.domain.access import entity_attrinfo, entity_attrinfo_for, readable
from pagoda.domain.access.past import entities_as_of
from pagoda.domain.entity import services
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.past import existing_at
from pagoda.domain.user.permissions import viewer
from pagoda.hooks.bridge import filter_entity_attrs
from pagoda.jobs.schema_tasks import submit_conversion
from pagoda_api.authentication import actor
from pagoda_api.conditional import ConditionalViewSet, guarded
from pagoda_api.fields import (
    MAX_ID,
    NamedSerializer,
    UncheckedLevel,
    UncheckedName,
    UncheckedSpecs,
    UncheckedText,
    UserSerializer,
    found_or_404,
)
from pagoda_api.pagination import PagePagination
from pagoda_api.resources.entity_deletions import DeletionSerializer, deletion_of
from pagoda_api.resources.filters import NameFilter, StandingFilter
from pagoda_api.resources.histories import AT, HistorySerializer, activity_of, history_page, moment_of
from pagoda_api.resources.job_representation import JobDetailSerializer, job_user, show_job_in_detail
from pagoda_api.resources.schema_changes import PreviewSerializer, show_preview
from pagoda_api.strict import StrictFilterBackend, StrictSerializer, checked, sent_back
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.specs import ON_DELETE
from pagoda_plugin_sdk.rules.text import by_clean_name, clean_name
from pagoda_plugin_sdk.washing import shown

type AttrInfo = list[dict[str, Any]]  # Any: JSON values


class EntityAttrSerializer(serializers.Serializer[Any]):
    """One attribute, as the ``entity.get_attrs`` hooks leave it; Any, as it is shown and never made."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    type = serializers.CharField(help_text="Such as `string` or `array_named_object`.")
    is_mandatory = serializers.BooleanField()
    is_readable = serializers.BooleanField()
    index = serializers.IntegerField(help_text="Position among the attributes.")
    is_summarized = serializers.BooleanField()
    is_indexed = serializers.BooleanField(help_text="Whether a job makes an index of its values.")
    is_delete_in_chain = serializers.BooleanField(help_text="Deleting an entry deletes what this points to.")
    on_delete = serializers.ChoiceField(
        choices=ON_DELETE,
        help_text="When what it points to is deleted: it reads as null, the deletion is refused (409), or "
        "the entry is deleted, too.",
    )
    note = serializers.CharField()
    default_value = serializers.JSONField(allow_null=True)
    choices = serializers.ListField(child=serializers.CharField(), help_text="What a select may hold.")
    referral = NamedSerializer(many=True, help_text="The entities whose entries it may point to; none: all.")


class EntitySerializer(serializers.ModelSerializer[Entity]):
    """An entity with its attributes, which are in the context: ``{"attrs": {entity id: [...]}}``."""

    created_user = UserSerializer(read_only=True, allow_null=True)
    attrs = serializers.SerializerMethodField()

    class Meta:
        model = Entity
        fields = [
            "id",
            "name",
            "note",
            "is_active",
            "default_permission",
            "created_time",
            "created_user",
            "updated_time",
            "attrs",
        ]
        read_only_fields = fields

    @extend_schema_field(EntityAttrSerializer(many=True))
    def get_attrs(self, entity: Entity) -> AttrInfo:
        """Return the attributes of `entity`."""
        attrs: AttrInfo = self.context["attrs"][entity.pk]
        return attrs


class EntityUpdateSerializer(StrictSerializer):
    """What may change of an entity; the host's service checks the values."""

    name = UncheckedName(required=False)
    note = UncheckedText(required=False)
    default_permission = UncheckedLevel(
        required=False, help_text="1 nothing, 2 readable, 4 writable, 8 full."
    )
    attrs = UncheckedSpecs(
        required=False,
        help_text='`[{"name", "type", "is_mandatory", "referral": [id or name], "choices", ...}]`. When an '
        "entity is changed, an item with `id` changes that attribute, and removes it with `is_deleted`; one "
        "without `id` is new.",
    )

    def validate_attrs(self, attrs: object) -> list[dict[str, Any]]:
        """Return `attrs` when they are a list of objects."""
        if not isinstance(attrs, list) or not all(isinstance(item, dict) for item in attrs):
            raise ValidationError(
                say('Attributes are a list of {{"name", "type", ...}}, not {attrs}.', attrs=shown(attrs)),
                code="type",
            )
        return [_as_spec(item) for item in attrs]


class EntityCreateSerializer(EntityUpdateSerializer):
    """A new entity."""

    name = UncheckedName()


class AttributesSerializer(EntityUpdateSerializer):
    """What is to change of the attributes alone."""

    name = note = default_permission = None  # type: ignore[assignment]  # DRF's way to leave a field out
    attrs = UncheckedSpecs(help_text="As in a PATCH of the entity.")


class RemovedAttributeSerializer(serializers.Serializer[Any]):
    """An attribute that was removed; Any, as it is shown and never made."""

    id = serializers.IntegerField(source="pk")
    name = serializers.CharField()
    type = serializers.CharField(source="attr_type.type_name")
    note = serializers.CharField()
    removed_time = serializers.DateTimeField(allow_null=True, help_text="Null: by an earlier release.")


class RestoreAttributeSerializer(StrictSerializer):
    """Which attribute comes back."""

    attr = serializers.IntegerField(min_value=1, max_value=MAX_ID, help_text="The `id` of a removed one.")


_OF_THE_PAST: Final = ("at", "is_active", "limit", "offset")


class EntityFilter(StandingFilter):
    """Which entities a list shows."""

    name = NameFilter()

    class Meta:
        model = Entity
        fields: list[str] = []


class EntityViewSet(ConditionalViewSet[Entity]):
    """Entities that the user may read; deleted ones too, where they are asked for by their id."""

    serializer_class = EntitySerializer
    filterset_class = EntityFilter
    filter_backends = [StrictFilterBackend]
    lookup_value_regex = "[0-9]+"
    without_body = ("restore",)
    parameters = {
        "retrieve": ("at",),
        "history": PagePagination.query_parameters,
        "removed_attributes": PagePagination.query_parameters,
    }

    def get_queryset(self) -> QuerySet[Entity]:
        """Return the entities that the user may read, the oldest first: new ones don't shift pages."""
        return readable(Entity.objects.select_related("created_user").order_by("id"), self.request.user)

    @extend_schema(parameters=[AT])
    def list(self, request: Request) -> Response:
        """List a page of entities with their attributes."""
        if (at := moment_of(request)) is not None:
            return self._list_at(request, at)
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        return self._shown_page(page, entity_attrinfo_for(page, request.user))

    @extend_schema(request=EntityCreateSerializer, responses={201: EntitySerializer})
    def create(self, request: Request) -> Response:
        """Create an entity with its attributes."""
        data = checked(EntityCreateSerializer(data=request.data))
        return self._shown(services.create_entity(actor(request), **data), status.HTTP_201_CREATED)

    @extend_schema(parameters=[AT])
    def retrieve(self, request: Request, pk: str) -> Response:
        """Show an entity."""
        if (at := moment_of(request)) is None:
            return self._shown(self._entity(pk))
        noun = say("entity of {at} with the id", at=at.isoformat())
        entity = found_or_404(existing_at(self.get_queryset(), at), pk, noun=noun)
        return Response(_represented(entity, entities_as_of([entity], at, request.user)[entity.pk]))

    @extend_schema(request=EntityUpdateSerializer, responses=EntitySerializer)
    @guarded
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change what is given; attributes that are not named stay."""
        entity = self._entity(pk)
        return self._changed(entity, self._given(EntityUpdateSerializer, entity))

    @extend_schema(request=EntityCreateSerializer, responses=EntitySerializer)
    @guarded
    def update(self, request: Request, pk: str) -> Response:
        """Make it what is given: attributes are found by id or name; those shown and not named go."""
        entity = self._entity(pk)
        data = {"note": "", "attrs": []} | self._given(EntityCreateSerializer, entity)
        names = {attr["id"]: attr["name"] for attr in entity_attrinfo(entity, request.user)}
        shown = [attr.get("id") for attr in self._representation(entity)["attrs"]]  # as hooks leave them
        data["attrs"] = _complete(data["attrs"], {key: name for key, name in names.items() if key in shown})
        return self._changed(entity, data)

    @guarded
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete it softly; it must have no entries. Deleting a deleted one does nothing."""
        entity = self._entity(pk)
        services.delete_entity(entity, actor(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses=DeletionSerializer, filters=False)
    @action(detail=True, methods=["get"], filter_backends=[], pagination_class=None)
    def deletion(self, request: Request, pk: str) -> Response:
        """Tell what its deletion would meet, to who may delete it; nothing is written."""
        return Response(deletion_of(self._entity(pk), actor(request)))

    @extend_schema(request=None, responses=EntitySerializer)
    @action(detail=True, methods=["post"])
    @guarded
    def restore(self, request: Request, pk: str) -> Response:
        """Undo its deletion."""
        entity = self._entity(pk)
        services.restore_entity(entity, actor(request))
        return self._shown(entity)

    @extend_schema(responses=RemovedAttributeSerializer(many=True), filters=False)
    @action(
        detail=True,
        methods=["get"],
        url_path="removed-attributes",
        filter_backends=[],
        pagination_class=PagePagination,
    )
    def removed_attributes(self, request: Request, pk: str) -> Response:
        """List the attributes that were removed from it and that the user may read, the last one first."""
        rows = services.removed_attributes(self._entity(pk), viewer(request.user))
        page: Any = self.paginate_queryset(rows)  # type: ignore[arg-type]  # attributes, not entities
        return self.get_paginated_response(RemovedAttributeSerializer(page, many=True).data)

    @extend_schema(request=RestoreAttributeSerializer, responses=EntitySerializer)
    @action(detail=True, methods=["post"], url_path="restore-attribute")
    @guarded
    def restore_attribute(self, request: Request, pk: str) -> Response:
        """Undo the removal of an attribute: entries have their values of it again."""
        entity = self._entity(pk)
        attr_id = checked(RestoreAttributeSerializer(data=request.data))["attr"]
        return self._shown(services.restore_attribute(entity, actor(request), attr_id))

    @extend_schema(request=AttributesSerializer, responses=PreviewSerializer)
    @action(detail=True, methods=["post"])
    def preview(self, request: Request, pk: str) -> Response:
        """Tell what a change of attributes would do to values; nothing is written."""
        entity = self._entity(pk)
        attrs = checked(AttributesSerializer(data=request.data))["attrs"]
        effects, is_whole = services.preview_update(entity, actor(request), attrs=attrs)
        return Response(show_preview(effects, is_whole=is_whole))

    @extend_schema(request=AttributesSerializer, responses={202: JobDetailSerializer})
    @action(detail=True, methods=["post"])
    @guarded
    def convert(self, request: Request, pk: str) -> Response:
        """Have a job change attributes and convert their values, however many there are: all, or none."""
        entity, user = self._entity(pk), job_user(request)
        attrs = checked(AttributesSerializer(data=request.data))["attrs"]
        job = submit_conversion(user, entity, attrs)
        return Response(show_job_in_detail(job, user), status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses=HistorySerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], filter_backends=[], pagination_class=PagePagination)
    def history(self, request: Request, pk: str) -> Response:
        """List what became of it and of its attributes that the user may read, the newest first."""
        return history_page(self, History(self._entity(pk), request.user))

    def _list_at(self, request: Request, at: datetime) -> Response:
        """List what was there at a time, by the filters that can be answered for it."""
        is_active = activity_of(request, _OF_THE_PAST)
        page = self.paginate_queryset(existing_at(self.get_queryset(), at, is_active=is_active)) or []
        return self._shown_page(page, entities_as_of(page, at, request.user))

    def _shown_page(self, page: Sequence[Entity], attrs: Mapping[int, AttrInfo]) -> Response:
        filtered = {entity.pk: filter_entity_attrs(entity, attrs[entity.pk]) for entity in page}
        rows = EntitySerializer(page, many=True, context={"attrs": filtered}).data
        return self.get_paginated_response(rows)

    def _entity(self, pk: str) -> Entity:
        return found_or_404(self.get_queryset(), pk, noun="entity")

    def _changed(self, entity: Entity, data: dict[str, Any]) -> Response:
        return self._shown(services.update_entity(entity, actor(self.request), **data))

    def _given(self, serializer: type[EntityUpdateSerializer], entity: Entity) -> dict[str, Any]:
        own_fields = EntitySerializer(entity, context={"attrs": {entity.pk: []}}).data
        return checked(sent_back(serializer, self.request.data, own_fields))

    def _shown(self, entity: Entity, status_code: int = status.HTTP_200_OK) -> Response:
        return Response(self._representation(entity), status=status_code)

    def _representation(self, entity: Entity) -> dict[str, Any]:
        return _represented(entity, entity_attrinfo(entity, self.request.user))


def _represented(entity: Entity, attrs: AttrInfo) -> dict[str, Any]:
    filtered = {entity.pk: filter_entity_attrs(entity, attrs)}
    shown: dict[str, Any] = EntitySerializer(entity, context={"attrs": filtered}).data
    return shown


def _as_spec(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was shown of an attribute as the service takes it, so that it can be sent back."""
    spec = {key: value for key, value in item.items() if key != "is_readable"}
    if isinstance(spec.get("referral"), list):
        spec["referral"] = [each.get("id") if isinstance(each, dict) else each for each in spec["referral"]]
    return spec


def _complete(attrs: Sequence[Mapping[str, Any]], existing: Mapping[int, str]) -> list[dict[str, Any]]:
    """Return the items with the ids of those named alike, and with the removal of those not named."""
    ids = by_clean_name((name, attr_id) for attr_id, name in existing.items())
    items: list[dict[str, Any]] = []
    for item in attrs:
        name = item.get("name")
        known = {"id": ids[clean]} if isinstance(name, str) and (clean := clean_name(name)) in ids else {}
        items.append(known | dict(item))
    kept = [item.get("id") for item in items]
    return [*items, *({"id": attr_id, "is_deleted": True} for attr_id in existing if attr_id not in kept)]

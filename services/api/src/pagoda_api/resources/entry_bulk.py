"""Many writes of entries in one request: ``/api/v2/entries/bulk/``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda.domain.bulk.items import BulkItem, read_items
from pagoda.domain.bulk.writing import BulkRefused, write_many
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.deleting import EntryProtected
from pagoda.domain.entry.models import Entry
from pagoda.plugins.overrides import bindings, many_fault
from pagoda_api.authentication import actor
from pagoda_api.problems import handle_exception
from pagoda_api.strict import StrictSerializer, StrictView, checked
from pagoda_plugin_sdk.rules.saying import say


@extend_schema_field({"type": "array", "items": {"$ref": "#/components/schemas/BulkItem"}})
class UncheckedItems(serializers.ListField):
    """Many writes, as far as the OpenAPI schema goes."""

    child = serializers.JSONField()


class BulkSerializer(StrictSerializer):
    """Many writes."""

    atomic = serializers.BooleanField(default=True, help_text="All or none; else each by itself.")
    items = UncheckedItems()

    def validate_items(self, items: list[Any]) -> list[Any]:
        """Return the items when they are not too many."""
        most = settings.PAGODA.domain_max_bulk_items
        if len(items) > most:
            raise ValidationError(
                say(
                    "{count:,} items are given, at most {most:,} are allowed in one request "
                    "(DOMAIN_MAX_BULK_ITEMS); send several.",
                    count=len(items),
                    most=most,
                ),
                code="too_many",
            )
        return items


class BulkResultSerializer(serializers.Serializer[Any]):
    """What became of one item."""

    status = serializers.ChoiceField(["created", "updated", "unchanged", "deleted", "refused", "not_tried"])
    id = serializers.IntegerField(allow_null=True)
    http_status = serializers.IntegerField(required=False, help_text="Of the refusal.")
    error = serializers.JSONField(
        required=False, help_text="What the request for this item alone would answer."
    )


class BulkResponseSerializer(serializers.Serializer[Any]):
    """What became of the items, in their order."""

    results = BulkResultSerializer(many=True)


class BulkRefusedSerializer(BulkResponseSerializer):
    """Nothing was written."""

    detail = serializers.CharField()
    code = serializers.CharField()


class EntryBulkView(StrictView):
    """Many writes of entries at once."""

    @extend_schema(
        request=BulkSerializer,
        responses={200: BulkResponseSerializer, 400: BulkRefusedSerializer},
        operation_id="entries_bulk",
    )
    def post(self, request: Request) -> Response:
        """Create, update, upsert and delete up to 1,000 entries in one transaction.

        With `atomic` one refused item has nothing written: 400 with the result of each. Without, refused
        items are left out. Hooks run, rights count and events are recorded for each entry as for one alone.
        """
        data = checked(BulkSerializer(data=request.data))
        items = read_items(data["items"], actor(request))
        _refuse_overridden(items)
        try:
            write_many(actor(request), items, is_atomic=data["atomic"])
        except BulkRefused:
            refused = sum(item.result.error is not None for item in items)
            detail = say(
                "Nothing was written: {refused:,} of {count:,} items were refused.",
                refused=refused,
                count=len(items),
            )
            body = {"detail": detail, "code": "bulk_refused", "results": _results(items, is_written=False)}
            return Response(body, status=400)
        return Response({"results": _results(items, is_written=True)})


def _results(items: Sequence[BulkItem], *, is_written: bool) -> list[dict[str, Any]]:
    undone = set() if is_written else {x.result.id for x in items if x.result.status == "created"}
    for item in items:
        if isinstance(item.result.error, EntryProtected):
            item.result.error.forget(undone)
    return [_result(item, is_written) for item in items]


def _result(item: BulkItem, is_written: bool) -> dict[str, Any]:
    error = item.result.error
    if error is None:
        status = item.result.status if is_written else "not_tried"
        return {"status": status, "id": item.result.id if is_written else None}
    if isinstance(error, ObjectDoesNotExist):
        error = NotFound(str(error))
    answer = handle_exception(error, {})
    known = {} if answer is None else {"http_status": answer.status_code, "error": answer.data}
    return {"status": "refused", "id": None, **known}


def _refuse_overridden(items: Sequence[BulkItem]) -> None:
    """Refuse writes that a plugin does in the host's place: it is asked by single requests alone."""
    if not bindings():
        return
    schemas = dict(Entry.objects.filter(pk__in=[x.id for x in items if x.id]).values_list("pk", "schema"))
    pks = {*schemas.values(), *(x.entity.pk for x in items if x.entity)}
    names = dict(Entity.objects.filter(pk__in=pks).values_list("pk", "name"))
    for number, item in enumerate(items):
        pk = item.entity.pk if item.entity else schemas.get(item.id)
        if pk is not None and (fault := many_fault(pk, names[pk], item.op)):
            raise ValidationError({"items": [f"Item {number}: {fault}"]}, code="overridden")

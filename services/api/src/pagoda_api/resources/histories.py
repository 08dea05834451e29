"""The history of entities and entries, ``/api/v2/{entities,entries}/{id}/history/``, and ``revert/``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from pagoda.audit.history import KINDS, History, HistoryItem
from pagoda_api.fields import MAX_ID, UserSerializer
from pagoda_api.pagination import PagePagination
from pagoda_api.strict import StrictSerializer, refuse_unknown


class RevertSerializer(StrictSerializer):
    """To which version a value goes back."""

    version = serializers.IntegerField(min_value=1, max_value=MAX_ID, help_text="Its `id` in the history.")


class HistorySerializer(serializers.Serializer[Any]):
    """One thing that became of an entity or an entry; Any, as it is shown and never made."""

    id = serializers.IntegerField(allow_null=True, help_text="Of the version of a value; null of others.")
    kind = serializers.ChoiceField(choices=KINDS, help_text="`value`: an attribute got this value.")
    attr = serializers.DictField(
        allow_null=True, help_text="`id`, `name` and `type` of the attribute that it is about; null: of none."
    )
    value = serializers.JSONField(allow_null=True)
    is_latest = serializers.BooleanField(help_text="Whether the attribute still has this value.")
    changes = serializers.DictField(
        help_text='Own fields that changed, such as `name` and `note`: `{field: {"old", "new"}}`.'
    )
    created_time = serializers.DateTimeField()
    created_user = UserSerializer(allow_null=True, help_text="Who did it, or on whose behalf a job did.")
    plugin = serializers.CharField(help_text="Whose code did it; empty for the host's.")
    job_id = serializers.IntegerField(allow_null=True, help_text="The job that did it.")


def _shown(items: Iterable[HistoryItem]) -> list[dict[str, Any]]:
    """Return items as JSON values, in the shape of `HistorySerializer`."""
    shown = [
        {
            "id": item.version.pk if item.version else None,
            "kind": item.kind,
            "attr": item.attr
            and {"id": item.attr.pk, "name": item.attr.name, "type": item.attr.attr_type.type_name},
            "value": item.value,
            "is_latest": item.version is not None and item.version.is_latest,
            "changes": {name: {"old": was, "new": now} for name, (was, now) in item.changes.items()},
            "created_time": item.at,
            "created_user": item.user,
            "plugin": item.plugin,
            "job_id": item.job_id,
        }
        for item in items
    ]
    return list(HistorySerializer(shown, many=True).data)


def history_page(view: GenericViewSet[Any], history: History) -> Response:
    """Return the page of a history that the request asks for; Any: entities and entries have one."""
    refuse_unknown(view.request.query_params, PagePagination.query_parameters, noun="query parameter")
    page: Any = view.paginate_queryset(history)  # type: ignore[arg-type]  # counted and cut as a queryset is
    return view.get_paginated_response(_shown(page))

"""The history of an entry's values: ``/api/v2/entries/{id}/history/`` and ``revert/``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers

from pagoda.domain.entry.history import value_of
from pagoda.domain.entry.models import AttributeValue
from pagoda_api.fields import MAX_ID, UserSerializer
from pagoda_api.strict import StrictSerializer


class RevertSerializer(StrictSerializer):
    """To which version a value goes back."""

    version = serializers.IntegerField(min_value=1, max_value=MAX_ID, help_text="Its `id` in the history.")


class VersionSerializer(serializers.Serializer[Any]):
    """One version of the value of one attribute; Any, as it is shown and never made."""

    id = serializers.IntegerField()
    attr = serializers.DictField(help_text="`id`, `name` and `type` of the attribute.")
    value = serializers.JSONField(allow_null=True)
    is_latest = serializers.BooleanField()
    created_time = serializers.DateTimeField()
    created_user = UserSerializer(allow_null=True)


def show_versions(versions: Iterable[AttributeValue]) -> list[dict[str, Any]]:
    """Return versions as JSON values, in the shape of `VersionSerializer`."""
    shown = [
        {
            "id": version.pk,
            "attr": {
                "id": version.parent_attr.schema_id,
                "name": version.parent_attr.schema.name,
                "type": version.parent_attr.schema.attr_type.type_name,
            },
            "value": value_of(version),
            "is_latest": version.is_latest,
            "created_time": version.created_time,
            "created_user": version.created_user,
        }
        for version in versions
    ]
    return list(VersionSerializer(shown, many=True).data)

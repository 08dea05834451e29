"""The history of an entry's values: ``/api/v2/entries/{id}/history/``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Prefetch, QuerySet
from rest_framework import serializers

from pagoda.domain.access import readable
from pagoda.domain.entity.models import EntityAttr
from pagoda.domain.entry.models import AttributeReference, AttributeValue, Entry
from pagoda.domain.user.permissions import Viewer
from pagoda_api.fields import UserSerializer
from pagoda_plugin_sdk.rules.state import Link, LinkTarget
from pagoda_plugin_sdk.rules.value_types import VALUE_TYPES

_LINKS = "shown_references"
"""Where a version keeps its references, loaded without the entries that the user may not read."""


class VersionSerializer(serializers.Serializer[Any]):
    """One version of the value of one attribute; Any, as it is shown and never made."""

    id = serializers.IntegerField()
    attr = serializers.DictField(help_text="`id`, `name` and `type` of the attribute.")
    value = serializers.JSONField(allow_null=True)
    is_latest = serializers.BooleanField()
    created_time = serializers.DateTimeField()
    created_user = UserSerializer(allow_null=True)


def versions_of(entry: Entry, user: Viewer) -> QuerySet[AttributeValue]:
    """Return the versions of the values of `entry` that `user` may read, the newest first."""
    attrs = readable(EntityAttr.objects.filter(parent_entity=entry.schema_id), user)
    targets = readable(Entry.objects.select_related("schema"), user)
    references = AttributeReference.objects.select_related("group", "role").order_by("ordinal")
    return (
        AttributeValue.objects.filter(
            parent_entry=entry, parent_attr__schema__in=attrs.order_by().values("pk")
        )
        .select_related("parent_attr__schema", "created_user")
        # An entry that the user may not read is missing from the prefetch, and so from what is shown.
        .prefetch_related(
            Prefetch("references", references.prefetch_related(Prefetch("entry", targets)), to_attr=_LINKS)
        )
        .order_by("-id")
    )


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
            "value": _value(version),
            "is_latest": version.is_latest,
            "created_time": version.created_time,
            "created_user": version.created_user,
        }
        for version in versions
    ]
    return list(VersionSerializer(shown, many=True).data)


def _value(version: AttributeValue) -> Any:  # Any: a JSON value of the attribute's type
    attr_type = version.parent_attr.schema.attr_type
    if attr_type.is_reference:
        show = VALUE_TYPES[attr_type.element].as_json
        links = [_link(reference) for reference in getattr(version, _LINKS)]
        elements = [show(link) for link in links if link != Link()]  # none says how many are hidden
    elif attr_type.is_array:
        elements = version.value or []
    else:
        elements = [version.value]
    if attr_type.is_array:
        return elements
    return elements[0] if elements else None


def _link(reference: AttributeReference) -> Link:
    found = reference.entry or reference.group or reference.role
    if found is None:
        return Link(name=reference.name)
    schema = found.schema if isinstance(found, Entry) else None
    target = LinkTarget(
        id=found.pk,
        name=found.name,
        schema_id=schema.pk if schema else None,
        schema_name=schema.name if schema else None,
    )
    return Link(name=reference.name, target_id=found.pk, target=target)

"""The versions of an entry's values, as somebody may see them, and the way back to one."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db.models import Prefetch, QuerySet

from pagoda.domain.access.querysets import readable
from pagoda.domain.entity.models import EntityAttr
from pagoda.domain.entry.models import AttributeReference, AttributeValue, Entry
from pagoda.domain.entry.past import as_of, existing_at
from pagoda.domain.entry.updating import update_entry
from pagoda.domain.user.permissions import Viewer
from pagoda_plugin_sdk.rules.state import Link, LinkTarget
from pagoda_plugin_sdk.rules.value_types import VALUE_TYPES, attrinfo_of, items_of

_LINKS: Final = "shown_references"
"""Where a version keeps its references, loaded without the entries that the user may not read."""


def versions_of(entry: Entry, user: Viewer | None) -> QuerySet[AttributeValue]:
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


def value_of(version: AttributeValue) -> Any:  # Any: a JSON value of the attribute's type
    """Return the value of one of `versions_of`, in the form in which an entry shows it and takes it back."""
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


def revert_value(entry: Entry, user: Viewer | None, version_id: int) -> Entry:
    """Set an attribute of `entry` to what `user` may see of an earlier version, and return `entry`.

    It is an update as any other: see `update_entry` for hooks and errors.

    Raises:
        ValidationError: `entry` has no such version that `user` may read, or its attribute was removed.
    """
    version = versions_of(entry, user).filter(pk=version_id).first()
    if version is None:
        message = f"Entry {entry.name!r} has no version {version_id}; its history lists them."
        raise ValidationError({"version": ValidationError(message, code="unknown")})
    attr = version.parent_attr.schema
    if not attr.is_active:
        message = f"Version {version_id} is of attribute {attr.name!r}, which was removed from the entity."
        raise ValidationError({"version": ValidationError(message, code="removed")})
    return update_entry(entry, user, attrs=[{"id": attr.pk, "value": value_of(version)}])


def revert_entry(entry: Entry, user: Viewer | None, at: datetime) -> Entry:
    """Set name, note and values of `entry` to what `user` may see of what they were, and return `entry`.

    It is an update as any other: see `update_entry` for hooks and errors. Attributes that came later keep
    their values, and those that were removed since are left out.

    Raises:
        ValidationError: `entry` was not there at that time.
    """
    was = existing_at(Entry.objects.select_related("schema").filter(pk=entry.pk), at).first()
    if was is None or not vars(was)["was_active"]:
        message = f"Entry {entry.name!r} was {'deleted' if was else 'not made yet'} at {at.isoformat()}."
        raise ValidationError({"at": ValidationError(message, code="absent")})
    state = as_of([was], at, user)[was.pk]
    shown = attrinfo_of(state) if user else items_of(state)
    kept = set(
        EntityAttr.objects.active()
        .filter(parent_entity=entry.schema_id, pk__in=[each["id"] for each in shown])
        .values_list("pk", flat=True)
    )
    attrs = [{"id": each["id"], "value": each["value"]} for each in shown if each["id"] in kept]
    return update_entry(entry, user, name=was.name, note=was.note, attrs=attrs)


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

"""The versions of an entry's values, as somebody may see them, and the way back to one."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db.models import Prefetch, QuerySet

from pagoda.domain.access.querysets import readable
from pagoda.domain.entity.models import EntityAttr
from pagoda.domain.entry.converting import FindByName
from pagoda.domain.entry.models import AttributeReference, AttributeValue, Entry
from pagoda.domain.entry.past import as_of, existing_at
from pagoda.domain.entry.reading import definition_of
from pagoda.domain.entry.updating import update_entry
from pagoda.domain.user.permissions import Viewer
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.converting import convert
from pagoda_plugin_sdk.rules.faults import AttributeTypeError
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.scalar_types import ValueFault
from pagoda_plugin_sdk.rules.state import EntryState, Link, LinkTarget, Value
from pagoda_plugin_sdk.rules.value_types import VALUE_TYPES, as_json, attrinfo_of, from_storage, items_of

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
    attr_type = version.attr_type
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
        message = say(
            "Entry {entry!r} has no version {version_id}; its history lists them.",
            entry=entry.name,
            version_id=version_id,
        )
        raise ValidationError({"version": ValidationError(message, code="unknown")})
    attr = version.parent_attr.schema
    if not attr.is_active:
        message = say(
            "Version {version_id} is of attribute {attr!r}, which was removed from the entity.",
            version_id=version_id,
            attr=attr.name,
        )
        raise ValidationError({"version": ValidationError(message, code="removed")})
    value = value_of(version)
    if version.former_type is not None:
        value = _converted(attr, version.attr_type, _elements(version), user)
    return update_entry(entry, user, attrs=[{"id": attr.pk, "value": value}])


def revert_entry(entry: Entry, user: Viewer | None, at: datetime) -> Entry:
    """Set name, note and values of `entry` to what `user` may see of what they were, and return `entry`.

    It is an update as any other: see `update_entry` for hooks and errors. Attributes that came later keep
    their values, and those that were removed since are left out.

    Raises:
        ValidationError: `entry` was not there at that time.
    """
    was = existing_at(Entry.objects.select_related("schema").filter(pk=entry.pk), at).first()
    if was is None or not vars(was)["was_active"]:
        then = at.isoformat()
        message = (
            say("Entry {entry!r} was deleted at {at}.", entry=entry.name, at=then)
            if was
            else say("Entry {entry!r} was not made yet at {at}.", entry=entry.name, at=then)
        )
        raise ValidationError({"at": ValidationError(message, code="absent")})
    state = as_of([was], at, user)[was.pk]
    shown = attrinfo_of(state) if user else items_of(state)
    kept = (
        EntityAttr.objects.active()
        .filter(parent_entity=entry.schema_id)
        .in_bulk([each["id"] for each in shown])
    )
    attrs = [
        {"id": each["id"], "value": _value_now(kept[each["id"]], state, each["value"], user)}
        for each in shown
        if each["id"] in kept
    ]
    return update_entry(entry, user, name=was.name, note=was.note, attrs=attrs)


def _value_now(attr: EntityAttr, state: EntryState, shown: Any, user: Viewer | None) -> Any:
    """Return what was shown of an attribute as it takes it now, whatever its type was then. Any: JSON."""
    then = state.definition(attr.pk)
    return shown if then.type == attr.attr_type else _converted(attr, then.type, state.value(then), user)


def _converted(attr: EntityAttr, before: AttrType, value: Value, user: Viewer | None) -> Any:  # Any: JSON
    """Return a value of a former type as the attribute takes it now.

    Raises:
        ValidationError: it can't be.
    """
    after = definition_of(attr)
    find = FindByName(after, user)
    find.look_up([value])
    try:
        found = convert(value, before, after, find)
    except ValueFault as fault:
        message = say(
            "Attribute {attr!r} was {before} then, and this value of it can't become {type}: {fault}.",
            attr=attr.name,
            before=before.type_name,
            type=after.type.type_name,
            fault=fault,
        )
        raise AttributeTypeError({attr.name: ValidationError(message, code="type")}) from fault
    return as_json(after, found, is_limited=True)


def _elements(version: AttributeValue) -> Value:
    """Return the value of one of `versions_of`, without what the user may not see."""
    if version.attr_type.is_reference:
        return Value(tuple(link for each in getattr(version, _LINKS) if (link := _link(each)) != Link()))
    return from_storage(version.attr_type, version.value)


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

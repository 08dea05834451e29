"""Rows of attribute values: new versions written in batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pagoda.domain.entry.models import Attribute, AttributeReference, AttributeValue, Entry
from pagoda.domain.user.models import User
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.state import Definition, EntryState, Link, Value
from pagoda_plugin_sdk.rules.value_types import to_storage

_BATCH_SIZE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A value to become the latest version of an attribute."""

    attribute: Attribute
    definition: Definition
    value: Value


def add_attributes(
    entries: Iterable[Entry], definitions: Sequence[Definition], maker: User | None
) -> dict[tuple[int, int], Attribute]:
    """Give new entries their attributes; return them by entry id and definition id."""
    rows = [_attribute(entry, definition, maker) for entry in entries for definition in definitions]
    Attribute.objects.bulk_create(rows, batch_size=_BATCH_SIZE)
    return {(row.parent_entry_id, row.schema_id): row for row in rows}


def add_versions(versions: Sequence[NewVersion], maker: User | None) -> None:
    """Store values as the latest versions of attributes that have none."""
    rows = [_value(version, maker) for version in versions]
    AttributeValue.objects.bulk_create(rows, batch_size=_BATCH_SIZE)
    references = [
        _reference(row, version.definition, ordinal, link)
        for row, version in zip(rows, versions, strict=True)
        for ordinal, link in enumerate(version.value.links)
    ]
    if references:
        AttributeReference.objects.bulk_create(references, batch_size=_BATCH_SIZE)


def replace_versions(
    entry: Entry, state: EntryState, values: Mapping[int, Value], maker: User | None
) -> None:
    """Make `values` the latest versions of attributes of `entry`; the caller holds the lock on its row."""
    definitions = [state.definition(key) for key in values]
    attributes = _attributes(entry, state, definitions, maker)
    superseded = AttributeValue.objects.filter(parent_attr__in=[row.pk for row in attributes], is_latest=True)
    superseded.update(is_latest=False)
    versions = [
        NewVersion(attribute=row, definition=each, value=values[each.id])
        for row, each in zip(attributes, definitions, strict=True)
    ]
    add_versions(versions, maker)


def _attributes(
    entry: Entry, state: EntryState, definitions: Sequence[Definition], maker: User | None
) -> list[Attribute]:
    rows = [_attribute(entry, each, maker) for each in definitions]
    for row in rows:
        row.pk = state.attribute_ids.get(row.schema_id)
    unseen = [row for row in rows if row.schema_id not in state.attribute_ids]
    if unseen:
        # The row may exist without a value, or somebody may make it right now; its id comes back anyway.
        Attribute.objects.bulk_create(
            unseen,
            update_conflicts=True,
            unique_fields=["parent_entry", "schema"],
            update_fields=["is_active"],
        )
    return rows


def _attribute(entry: Entry, definition: Definition, maker: User | None) -> Attribute:
    return Attribute(parent_entry=entry, schema_id=definition.id, name=definition.name, created_user=maker)


def _value(version: NewVersion, maker: User | None) -> AttributeValue:
    return AttributeValue(
        parent_attr=version.attribute,
        parent_entry_id=version.attribute.parent_entry_id,
        value=to_storage(version.definition.type, version.value),
        created_user=maker,
    )


_TARGET_FIELDS: Final[Mapping[AttrType, str]] = {
    AttrType.OBJECT: "entry_id",
    AttrType.OBJECT | AttrType.NAMED: "entry_id",
    AttrType.GROUP: "group_id",
    AttrType.ROLE: "role_id",
}


def _reference(row: AttributeValue, definition: Definition, ordinal: int, link: Link) -> AttributeReference:
    target = {_TARGET_FIELDS[definition.type.element]: link.target_id}
    return AttributeReference(value=row, ordinal=ordinal, name=link.name, **target)

"""The services that update entities and their attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from pagoda.domain import changes
from pagoda.domain.entity.attributes import AttributeChanges, existing_attributes
from pagoda.domain.entity.fields import differing, entity_change, read_fields
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entity.specs import read_specs
from pagoda.domain.user.models import User
from pagoda.domain.writing import writing


def update_entity(
    entity: Entity,
    user: User | None,
    *,
    name: str | None = None,
    note: str | None = None,
    default_permission: int | None = None,
    attrs: Sequence[Mapping[str, Any]] = (),  # Any: values differ by key
) -> Entity:
    """Change what is given (None keeps it) as one change of `user` and return `entity`.

    An item of `attrs` with ``id`` changes that attribute, with ``id`` and ``is_deleted`` removes it, without
    ``id`` adds one (see `create_entity`); the other attributes stay. What equals the stored is not written;
    when nothing differs, nothing is told and no hook runs.

    Raises:
        ValidationError: keyed by field and attribute; nothing is stored.
        HookRejected: a plugin refuses; nothing is stored.
    """
    given = {"name": name, "note": note, "default_permission": default_permission}
    with writing(user) as actor:
        stored = _stored(entity)
        data = differing(stored, {key: value for key, value in given.items() if value is not None})
        data |= _differing_attrs(entity, attrs, actor)
        if data:
            data = changes.send_changing(entity_change(entity, "update", actor, data, stored.name))
            _store(entity, stored, data, actor)
    return entity


def add_attribute(entity: Entity, user: User | None, **spec: Any) -> EntityAttr:  # Any: see create_entity
    """Add an attribute, ``add_attribute(entity, user, name=..., type=...)``, as a change of the entity."""
    update_entity(entity, user, attrs=[spec])
    return EntityAttr.objects.active().get(parent_entity=entity, name=spec["name"])


def rename_attribute(attr: EntityAttr, user: User | None, name: str) -> EntityAttr:
    """Rename an attribute, as a change of its entity; its values keep their history."""
    update_entity(attr.parent_entity, user, attrs=[{"id": attr.pk, "name": name}])
    attr.refresh_from_db()
    return attr


def remove_attribute(attr: EntityAttr, user: User | None) -> None:
    """Remove an attribute softly, as a change of its entity; its values stay in the history.

    Removing a removed one does nothing.
    """
    if EntityAttr.objects.active().filter(pk=attr.pk).exists():
        update_entity(attr.parent_entity, user, attrs=[{"id": attr.pk, "is_deleted": True}])
    attr.is_active = False


def _stored(entity: Entity) -> Entity:
    # Locked against another write of its attributes; entries may be made meanwhile.
    stored = Entity.objects.select_for_update(no_key=True).get(pk=entity.pk)
    if not stored.is_active:
        message = f"Entity {stored.name!r} is deleted; restore it before changing it."
        raise ValidationError({NON_FIELD_ERRORS: [message]}, code="deleted")
    return stored


def _differing_attrs(entity: Entity, attrs: Sequence[Mapping[str, Any]], user: User | None) -> dict[str, Any]:
    """Return ``{"attrs": [...]}`` with the items that change something, ``{}`` when none does."""
    if not attrs:
        return {}
    existing = existing_attributes(entity, user)
    ids = {spec.id for spec in AttributeChanges(existing, read_specs(attrs, existing)).specs}
    items = [dict(item) for item in attrs if item.get("id") in ids]
    return {"attrs": items} if items else {}


def _store(entity: Entity, stored: Entity, data: Mapping[str, Any], user: User | None) -> None:
    sent = {key: value for key, value in data.items() if key != "attrs"}
    fields = read_fields(differing(stored, sent), exclude=entity.pk)
    existing = existing_attributes(entity, user)
    attributes = AttributeChanges(existing, read_specs(data.get("attrs", []), existing))
    attributes.check(fields.get("name", stored.name))
    if not fields and not attributes.specs:
        return
    told = attributes.store(entity, user)
    for key, value in fields.items():
        setattr(entity, key, value)
    change = entity_change(
        entity, "update", user, fields | ({"attrs": told} if told else {}), fields.get("name", stored.name)
    )
    changes.store(change, update_fields=[*fields, "updated_time"])

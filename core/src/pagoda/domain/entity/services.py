"""The write services of entities and their attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction
from django.db.models import F, OuterRef, QuerySet, Subquery

from pagoda.domain import changes
from pagoda.domain.access.checks import require, require_adding_entities, require_attributes, require_level
from pagoda.domain.changes import writing
from pagoda.domain.entity.attributes import AttributeChanges, existing_attributes
from pagoda.domain.entity.fields import differing, entity_change, read_fields, refuse_taken
from pagoda.domain.entity.models import Entity, EntityAttr, FormerState
from pagoda.domain.entry.effects import ValueEffect
from pagoda.domain.entry.following import Following
from pagoda.domain.stamped import updated_stamp
from pagoda.domain.user.models import Level, default_level
from pagoda.domain.user.permissions import Viewer, level_of, person
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.specs import AttrSpec, check_names, copied, read_specs
from pagoda_plugin_sdk.rules.text import clean_name


def create_entity(
    user: Viewer | None,
    *,
    name: str,
    attrs: Sequence[Mapping[str, Any]] = (),  # Any: values differ by key
    note: str = "",
    default_permission: int | None = None,
) -> Entity:
    """Create an entity with its attributes, ``[{"name", "type", ...}]``, as one change of `user`.

    `user` owns it; others have `default_permission` on it, for None PAGODA_DEFAULT_LEVEL.

    An attribute takes name, type (its name or number), is_mandatory, index, is_summarized, is_indexed, note,
    choices, default_value, is_delete_in_chain, on_delete (null, protect or chain), referral (entities, ids or
    names, this one's too), default_permission.

    Raises:
        PermissionDenied: `user` may not add entities.
        ValidationError: keyed by field and attribute; nothing is stored.
        HookRejected: a plugin refuses; nothing is stored.
    """
    level = default_level() if default_permission is None else default_permission
    given = {"name": clean_name(name), "note": note, "default_permission": level}
    with writing(user) as actor:
        require_adding_entities(actor)
        data: dict[str, Any] = given | {"attrs": copied(attrs)}
        data = changes.send_changing(entity_change(None, "create", actor, data, str(given["name"])))
        sent = {key: value for key, value in data.items() if key != "attrs"}
        fields = read_fields(given | sent, exclude=None)
        specs = read_specs(data.get("attrs", []), {})
        entity = Entity(created_user=person(actor), owner=person(actor), **fields)
        change = entity_change(entity, "create", actor, fields, entity.name)
        changes.store(change, force_insert=True)
        attributes = AttributeChanges({}, specs, actor)  # so late, as one may point to it
        attributes.check(entity.name)
        change.data = fields | {"attrs": attributes.store(entity, actor)}
    return entity


def update_entity(
    entity: Entity,
    user: Viewer | None,
    *,
    name: str | None = None,
    note: str | None = None,
    default_permission: int | None = None,
    attrs: Sequence[Mapping[str, Any]] = (),  # Any: values differ by key
    following: Following | None = None,
) -> Entity:
    """Change what is given (None keeps it) as one change of `user` and return `entity`.

    An item of `attrs` with ``id`` changes that attribute, with ``id`` and ``is_deleted`` removes it, without
    ``id`` adds one (see `create_entity`); the other attributes stay. What equals the stored is not written;
    when nothing differs, nothing is told and no hook runs. Values follow a new ``type``, as `following` says:
    without one, those of DOMAIN_MAX_CONVERTED entries at most.

    Raises:
        PermissionDenied: `user` has not Full on the entity, or on an attribute that differs.
        ValidationError: keyed by field and attribute; nothing is stored. Of ``conversion`` are values that
            can't follow a new type.
        HookRejected: a plugin refuses; nothing is stored.
    """
    given = {"name": name, "note": note, "default_permission": default_permission}
    with writing(user) as actor:
        stored = _stored(entity, actor)
        data = differing(stored, {key: value for key, value in given.items() if value is not None})
        data |= _differing_attrs(entity, attrs, actor)
        if data:
            data = changes.send_changing(entity_change(entity, "update", actor, data, stored.name))
            _store(entity, stored, data, actor, following or Following())
    return entity


def preview_update(
    entity: Entity, user: Viewer | None, *, attrs: Sequence[Mapping[str, Any]]
) -> tuple[list[ValueEffect], bool]:
    """Return what `update_entity` with these attributes would do to values, and whether all were looked at.

    Nothing is written and nobody is told, but before-hooks run, as they have a say in it. Of more entries
    than DOMAIN_MAX_CONVERTED the first ones are looked at.

    Raises:
        PermissionDenied, ValidationError, HookRejected: as `update_entity`, but for the values.
    """
    following = Following(is_preview=True)
    with changes.untold(), transaction.atomic():
        update_entity(entity, user, attrs=attrs, following=following)
        transaction.set_rollback(True)
    return following.effects, following.is_whole


def remove_attribute(attr: EntityAttr, user: Viewer | None) -> None:
    """Remove an attribute softly, as a change of its entity; its values stay in the history.

    Removing a removed one does nothing.
    """
    if EntityAttr.objects.active().filter(pk=attr.pk).exists():
        update_entity(attr.parent_entity, user, attrs=[{"id": attr.pk, "is_deleted": True}])
    attr.is_active = False


def removed_attributes(entity: Entity, user: Viewer | None) -> QuerySet[EntityAttr]:
    """Return the attributes that were removed from `entity` and that `user` may read, the last one first.

    Each has ``removed_time``, None where an earlier release removed it.
    """
    removals = FormerState.objects.filter(subject_type="attr", subject_id=OuterRef("pk"), is_active=True)
    removed = EntityAttr.objects.filter(parent_entity=entity, is_active=False)
    seen = removed.annotate(user_level=level_of(user, "attr")).filter(user_level__gte=Level.READABLE)
    last = Subquery(removals.order_by("-pk").values("until")[:1])
    return seen.annotate(removed_time=last).order_by(F("removed_time").desc(nulls_last=True), "-pk")


def restore_attribute(entity: Entity, user: Viewer | None, attr_id: int) -> Entity:
    """Undo the removal of an attribute, as a change of its entity; entries have their values of it again.

    Hooks see ``{"attrs": [{"id", "name", "is_restored": True}]}``; what they leave in it changes nothing. An
    attribute that was not removed stays as it is.

    Raises:
        PermissionDenied: `user` has not Full on the entity, or on the attribute.
        ValidationError: there is no such attribute, its name was taken meanwhile, or they would be too many.
        HookRejected: a plugin refuses; it stays removed.
    """
    with writing(user) as actor:
        stored = _stored(entity, actor)
        active = existing_attributes(entity, actor)
        attr = removed_attributes(entity, actor).filter(pk=attr_id).first()
        if attr is None and (attr_id not in active or vars(active[attr_id])["user_level"] < Level.READABLE):
            message = say(
                "Entity {stored!r} has no removed attribute {attr_id}; its removed ones are listed.",
                stored=stored.name,
                attr_id=attr_id,
            )
            raise ValidationError({"attr": ValidationError(message, code="unknown")})
        if attr is not None:
            require_attributes(actor, entity.name, {attr.name: vars(attr)["user_level"]}, Level.FULL)
            check_names(active, [AttrSpec(name=attr.name)], stored.name)
            told = {"attrs": [{"id": attr.pk, "name": attr.name, "is_restored": True}]}
            change = entity_change(entity, "update", actor, told, stored.name)
            changes.send_changing(change)
            EntityAttr.objects.filter(pk=attr.pk).update(is_active=True)
            stamp = updated_stamp(attr.default_permission >= Level.READABLE)
            changes.store(replace(change, data=told), update_fields=[stamp])
    return entity


def why_not_deleted(entity: Entity, user: Viewer | None) -> str | None:
    """Return why `user`, who may delete `entity`, can't do it now; None: nothing is in the way.

    Raises:
        PermissionDenied: `user` has not Full on it.
    """
    require(user, entity, Level.FULL)
    return entity.deletion_fault() if entity.is_active else None


def delete_entity(entity: Entity, user: Viewer | None) -> None:
    """Delete `entity` softly; deleting a deleted one does nothing.

    Raises:
        PermissionDenied: `user` has not Full on it.
        ValidationError: it has active entries.
        HookRejected: a plugin refuses; nothing is deleted.
    """
    with writing(user) as actor:
        # Locked against entries that are created at this moment: their foreign key waits for it.
        stored = Entity.objects.select_for_update().get(pk=entity.pk)
        require(actor, stored, Level.FULL)
        if stored.is_active:
            stored.refuse_deletion()
            change = entity_change(entity, "delete", actor, {}, stored.name)
            changes.send_changing(change)
            entity.is_active = False
            changes.store(change, update_fields=["is_active", "updated_time"])
    entity.is_active = False


def restore_entity(entity: Entity, user: Viewer | None) -> None:
    """Undo the deletion of `entity`; restoring an active one does nothing.

    Raises:
        PermissionDenied: `user` has not Full on it.
        ValidationError: its name was taken meanwhile.
        HookRejected: a plugin refuses; the entity stays deleted.
    """
    with writing(user) as actor:
        stored = Entity.objects.get(pk=entity.pk)
        require(actor, stored, Level.FULL)
        if not stored.is_active:
            refuse_taken(stored.name, exclude=stored.pk)
            change = entity_change(entity, "restore", actor, {}, stored.name)
            changes.send_changing(change)
            entity.is_active = True
            changes.store(change, update_fields=["is_active", "updated_time"])
    entity.is_active = True


def _stored(entity: Entity, user: Viewer | None) -> Entity:
    # Locked against another write of its attributes; entries may be made meanwhile.
    rows = Entity.objects.select_for_update(no_key=True).annotate(user_level=level_of(user, "entity"))
    stored = rows.get(pk=entity.pk)
    require_level(user, stored, Level.FULL, vars(stored)["user_level"])
    if not stored.is_active:
        message = say("Entity {stored!r} is deleted; restore it before changing it.", stored=stored.name)
        raise ValidationError({NON_FIELD_ERRORS: ValidationError(message, code="deleted")})
    return stored


def _differing_attrs(
    entity: Entity, attrs: Sequence[Mapping[str, Any]], user: Viewer | None
) -> dict[str, Any]:
    """Return ``{"attrs": [...]}`` with the items that change something, ``{}`` when none does."""
    if not attrs:
        return {}
    existing = existing_attributes(entity, user)
    seen = {pk: attr for pk, attr in existing.items() if vars(attr)["user_level"] >= Level.READABLE}
    specs = AttributeChanges(existing, read_specs(attrs, seen), user).specs
    ids = {spec.id for spec in specs}
    levels = {existing[pk].name: vars(existing[pk])["user_level"] for pk in ids if pk is not None}
    require_attributes(user, entity.name, levels, Level.FULL)
    items = [item for item in copied(attrs, existing) if item.get("id") in ids]
    return {"attrs": items} if items else {}


def _store(
    entity: Entity, stored: Entity, data: Mapping[str, Any], user: Viewer | None, following: Following
) -> None:
    sent = {key: value for key, value in data.items() if key != "attrs"}
    fields = read_fields(differing(stored, sent), exclude=entity.pk)
    existing = existing_attributes(entity, user)
    attributes = AttributeChanges(existing, read_specs(data.get("attrs", []), existing), user)
    attributes.check(fields.get("name", stored.name))
    if not fields and not attributes.specs:
        return
    stamp = updated_stamp(bool(fields) or attributes.are_open())
    following.start(entity, existing, attributes.specs)
    told = attributes.store(entity, user)
    following.end(entity, user)
    for key, value in fields.items():
        setattr(entity, key, value)
    change = entity_change(
        entity, "update", user, fields | ({"attrs": told} if told else {}), fields.get("name", stored.name)
    )
    changes.store(change, update_fields=[*fields, stamp])

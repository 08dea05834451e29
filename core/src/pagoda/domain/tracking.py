"""Plain ORM writes told as changes: the signal receivers behind `pagoda.domain.changes`.

Outside of a scope a save is compared with the stored row (one query), so that a create, an update, a deletion
and a restoration are told apart and a save that changes nothing stays silent. ``QuerySet.update()`` and
``bulk_create()`` send no signals in Django and are not told.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy
from dataclasses import replace
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Field, QuerySet
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save

from pagoda.domain import changes
from pagoda.domain.access.checks import refuse_hidden, require_creating, require_level
from pagoda.domain.access.querysets import readable_with_levels
from pagoda.domain.changes import Action, Change
from pagoda.domain.stamped import TrackedModel
from pagoda.domain.user.models import Level
from pagoda.domain.user.permissions import acting_viewer, person
from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.text import renamed

type ModelField = Field[Any, Any]  # Any: the value's types, which differ from field to field

_PENDING = "_pagoda_pending_change"  # between the signals before and after a write, on the instance


def track(model: type[TrackedModel]) -> None:
    """Tell the plain ORM writes of `model`; calling it again changes nothing."""
    label = model._meta.label
    pre_save.connect(_before_save, sender=model, dispatch_uid=f"pagoda.changes.{label}")
    post_save.connect(_after_write, sender=model, dispatch_uid=f"pagoda.changes.{label}")
    pre_delete.connect(_before_hard_delete, sender=model, dispatch_uid=f"pagoda.changes.{label}")
    post_delete.connect(_after_write, sender=model, dispatch_uid=f"pagoda.changes.{label}")


def _before_save(
    instance: TrackedModel, *, raw: bool, update_fields: Collection[str] | None, **_signal: object
) -> None:
    instance.__dict__.pop(_PENDING, None)
    if raw:
        return
    if instance._state.adding and instance.created_user_id is None:
        instance.made_by(person(acting_viewer()))
    if not changes.is_storing(instance):
        _begin(instance, _SavedFields(instance, update_fields))


def _require(action: Action, instance: TrackedModel, changed: Collection[str] = ()) -> None:
    """Refuse a write of the `changed` fields that the acting user may not do; without one the host writes."""
    user = acting_viewer()
    if user is None:
        return
    changes.require_granted(instance.SUBJECT, instance.entity_name)
    if action == "create" or "schema" in changed:
        require_creating(user, instance)
    if action == "create":
        return
    is_of_values = action == "update" and instance.SUBJECT == "entry" and "default_permission" not in changed
    needed = Level.WRITABLE if is_of_values else Level.FULL
    rows: QuerySet[Any] = type(instance)._base_manager.filter(pk=instance.pk)  # as stored, not as it is to be
    found = next(readable_with_levels(rows, user), None)
    if found is None:
        refuse_hidden(user)
    require_level(user, found[0], needed, found[1])


class _SavedFields:
    """The fields that a save stores, against the row as it is."""

    def __init__(self, instance: TrackedModel, update_fields: Collection[str] | None) -> None:
        self._instance = instance
        fields = [field for field in instance._meta.concrete_fields if _is_told(field)]
        self.editable: Mapping[str, ModelField] = {field.name: field for field in fields}
        self.saved = [
            field
            for field in fields
            if update_fields is None or field.name in update_fields or field.attname in update_fields
        ]
        self.sets_active = update_fields is None or "is_active" in update_fields
        self.stored = _stored_row(instance)
        if any(field.name == "name" for field in self.saved):
            own = vars(instance)
            own["name"] = renamed((self.stored or {}).get("name", ""), own.get("name"))

    def action(self) -> Action | None:
        """Return what the save does to the object; None when it changes nothing."""
        if self.stored is None:
            return "create"
        if self.sets_active and self.stored["is_active"] != self._instance.is_active:
            return "restore" if self._instance.is_active else "delete"
        return "update" if self.changed() else None

    def _differs(self, field: ModelField) -> bool:
        value = field.to_python(getattr(self._instance, field.attname))
        return self.stored is None or bool(self.stored[field.attname] != value)

    def changed(self) -> set[str]:
        """Return the names of the fields of which the save stores another value."""
        return {field.name for field in self.saved if self._differs(field)}

    def data(self) -> dict[str, Any]:
        return {field.name: getattr(self._instance, field.name) for field in self.saved}

    def entity_name(self) -> str:
        if self._instance.SUBJECT == "entity" and self.stored is not None:
            return str(self.stored["name"])
        return self._instance.entity_name


def _begin(instance: TrackedModel, fields: _SavedFields) -> None:
    action = fields.action()
    if action is None:
        return
    _require(action, instance, fields.changed())
    if action == "delete":
        instance.refuse_deletion()
    change = Change(
        subject=instance.SUBJECT,
        action=action,
        instance=None if action == "create" else instance,
        user=person(acting_viewer()),
        data=fields.data() if action in ("create", "update") else {},
        entity_name=fields.entity_name(),
    )
    added: dict[str, Any] = {}
    if not changes.in_scope():
        added = _write_back(instance, changes.send_changing(change), fields)
        if fields.action() is None and not added:
            return
    instance.__dict__[_PENDING] = (change, added)


def _write_back(instance: TrackedModel, data: Mapping[str, Any], fields: _SavedFields) -> dict[str, Any]:
    """Put what the receivers made of the data on the instance; return what this save does not store."""
    saved = {field.name for field in fields.saved}
    for name, value in data.items():
        if name not in fields.editable:
            raise ValidationError({name: [_unknown_field(name, instance, fields.editable)]})
        setattr(instance, name, renamed(vars(instance)["name"], value) if name == "name" else value)
    return {name: value for name, value in data.items() if name not in saved}


def _unknown_field(name: str, instance: TrackedModel, known: Collection[str]) -> str:
    return say(
        "A before-hook set {name!r} on a plain save of {instance}, which has the fields "
        "{known}.{hint} Attribute values are set through set_attrs().",
        name=name,
        instance=instance,
        known=", ".join(sorted(known)),
        hint=near_misses(name, known),
    )


def _before_hard_delete(instance: TrackedModel, **_signal: object) -> None:
    instance.__dict__.pop(_PENDING, None)
    _require("delete", instance)
    stored = _stored_row(instance)
    if stored is None or not stored["is_active"]:
        return
    change = Change(
        subject=instance.SUBJECT,
        action="delete",
        instance=copy(instance),  # Django takes the key from the instance it deletes
        user=person(acting_viewer()),
        data={},
        entity_name=instance.entity_name,
    )
    if not changes.in_scope():
        changes.send_changing(change)
    instance.__dict__[_PENDING] = (change, {})


def _after_write(instance: TrackedModel, **_signal: object) -> None:
    pending: tuple[Change, dict[str, Any]] | None = instance.__dict__.pop(_PENDING, None)
    if pending is None:
        return
    change, added = pending
    if added:
        type(instance)._base_manager.filter(pk=instance.pk).update(**added)
    stored = change.instance or instance
    changes.tell(replace(change, instance=stored, entity_name=stored.entity_name))


def _is_told(field: ModelField) -> bool:
    return field.editable and not field.primary_key


def _stored_row(instance: TrackedModel) -> dict[str, Any] | None:
    if instance.pk is None:
        return None
    names = [field.attname for field in instance._meta.concrete_fields]
    stored: dict[str, Any] | None = type(instance)._base_manager.filter(pk=instance.pk).values(*names).first()
    return stored

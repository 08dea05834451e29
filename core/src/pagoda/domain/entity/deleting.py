"""The services that delete entities softly and restore them."""

from __future__ import annotations

from pagoda.domain import changes
from pagoda.domain.entity.fields import entity_change, refuse_taken
from pagoda.domain.entity.models import Entity
from pagoda.domain.user.models import User
from pagoda.domain.writing import writing


def delete_entity(entity: Entity, user: User | None) -> None:
    """Delete `entity` softly; deleting a deleted one does nothing.

    Raises:
        ValidationError: it has active entries.
        HookRejected: a plugin refuses; nothing is deleted.
    """
    with writing(user) as actor:
        # Locked against entries that are created at this moment: their foreign key waits for it.
        stored = Entity.objects.select_for_update().get(pk=entity.pk)
        if stored.is_active:
            stored.refuse_deletion()
            change = entity_change(entity, "delete", actor, {}, stored.name)
            changes.send_changing(change)
            entity.is_active = False
            changes.store(change, update_fields=["is_active", "updated_time"])
    entity.is_active = False


def restore_entity(entity: Entity, user: User | None) -> None:
    """Undo the deletion of `entity`; restoring an active one does nothing.

    Raises:
        ValidationError: its name was taken meanwhile.
        HookRejected: a plugin refuses; the entity stays deleted.
    """
    with writing(user) as actor:
        stored = Entity.objects.get(pk=entity.pk)
        if not stored.is_active:
            refuse_taken(stored.name, exclude=stored.pk)
            change = entity_change(entity, "restore", actor, {}, stored.name)
            changes.send_changing(change)
            entity.is_active = True
            changes.store(change, update_fields=["is_active", "updated_time"])
    entity.is_active = True

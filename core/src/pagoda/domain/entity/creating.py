"""The service that creates entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pagoda.domain import changes
from pagoda.domain.entity.attributes import AttributeChanges
from pagoda.domain.entity.fields import entity_change, read_fields
from pagoda.domain.entity.models import Entity
from pagoda.domain.entity.specs import read_specs
from pagoda.domain.user.models import Level, User
from pagoda.domain.writing import writing


def create_entity(
    user: User | None,
    *,
    name: str,
    attrs: Sequence[Mapping[str, Any]] = (),  # Any: values differ by key
    note: str = "",
    default_permission: int = Level.FULL,
) -> Entity:
    """Create an entity with its attributes, ``[{"name", "type", ...}]``, as one change of `user`.

    An attribute takes name, type (its name or number), is_mandatory, index, is_summarized, note, choices,
    default_value, is_delete_in_chain, referral (entities, ids or names, this one's too), default_permission.

    Raises:
        ValidationError: keyed by field and attribute; nothing is stored.
        HookRejected: a plugin refuses; nothing is stored.
    """
    given = {"name": name, "note": note, "default_permission": default_permission}
    with writing(user) as actor:
        data: dict[str, Any] = given | {"attrs": [dict(item) for item in attrs]}
        data = changes.send_changing(entity_change(None, "create", actor, data, str(name)))
        sent = {key: value for key, value in data.items() if key != "attrs"}
        fields = read_fields(given | sent, exclude=None)
        specs = read_specs(data.get("attrs", []), {})
        entity = Entity(created_user=actor, **fields)
        change = entity_change(entity, "create", actor, fields, entity.name)
        changes.store(change, force_insert=True)
        attributes = AttributeChanges({}, specs)  # after the entity, so that an attribute may point to it
        attributes.check(entity.name)
        change.data = fields | {"attrs": attributes.store(entity, actor)}
    return entity

"""Changes of an entity's attributes: reduced to what differs, checked together, stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q

from pagoda.domain.entity.attr_types import AttrType
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entity.specs import AttrSpec, Referral
from pagoda.domain.user.models import User
from pagoda_plugin_sdk.exceptions import near_misses


class AttributeChanges:
    """The specs of one write against the attributes that the entity has."""

    def __init__(self, existing: Mapping[int, EntityAttr], specs: Sequence[AttrSpec]) -> None:
        self._existing = existing
        self._targets = _find_entities(specs)
        self.specs = [spec for spec in specs if self._differs(spec)]

    def check(self, entity_name: str) -> None:
        """Check the names that the attributes are going to have.

        Raises:
            ValidationError: two attributes would have one name.
        """
        removed = {spec.id for spec in self.specs if spec.is_deleted}
        names = {pk: attr.name for pk, attr in self._existing.items() if pk not in removed}
        names |= {spec.id: spec.name for spec in self.specs if spec.id is not None and not spec.is_deleted}
        added = [spec.name for spec in self.specs if spec.id is None]
        doubles = [name for name, count in Counter([*names.values(), *added]).items() if count > 1]
        if doubles:
            raise ValidationError(
                {
                    name: [f"Entity {entity_name!r} has an attribute {name!r} already; choose another name."]
                    for name in doubles
                }
            )

    def store(self, entity: Entity, user: User | None) -> list[dict[str, Any]]:
        """Store the changes and return them, ``[{"id", "name", what changed...}]``."""
        return [self._store(spec, entity, user) for spec in self.specs]

    def _differs(self, spec: AttrSpec) -> bool:
        """Return whether the spec changes anything; leave in it only what it changes."""
        if spec.id is None or spec.is_deleted:
            return True
        attr = self._existing[spec.id]
        spec.fields = {key: value for key, value in spec.fields.items() if getattr(attr, key) != value}
        if spec.referral is not None and {target.pk for target in self._entities(spec)} == {
            target.pk for target in attr.referral.all()
        }:
            spec.referral = None
        return bool(spec.fields) or spec.referral is not None

    def _store(self, spec: AttrSpec, entity: Entity, user: User | None) -> dict[str, Any]:
        attr = self._stored(spec, entity, user)
        if spec.referral is not None:
            attr.referral.set(self._entities(spec))
        told = {"id": attr.pk, "name": attr.name, **spec.fields}
        if "type" in spec.fields:
            told["type"] = AttrType(attr.type).type_name
        if spec.referral is not None:
            told["referral"] = [target.name for target in self._entities(spec)]
        return told | ({"is_deleted": True} if spec.is_deleted else {})

    def _stored(self, spec: AttrSpec, entity: Entity, user: User | None) -> EntityAttr:
        if spec.id is None:
            return EntityAttr.objects.create(parent_entity=entity, created_user=user, **spec.fields)
        attr = self._existing[spec.id]
        fields = {"is_active": False} if spec.is_deleted else spec.fields
        for key, value in fields.items():
            setattr(attr, key, value)
        attr.save(update_fields=list(fields))
        if "name" in fields:
            attr.attributes.update(name=attr.name)
        return attr

    def _entities(self, spec: AttrSpec) -> list[Entity]:
        return [self._targets[_key(referral)] for referral in spec.referral or ()]


def existing_attributes(entity: Entity) -> dict[int, EntityAttr]:
    """Return the active attributes of `entity` by id, with the entities they may point to."""
    attrs = EntityAttr.objects.active().filter(parent_entity=entity).prefetch_related("referral")
    return {attr.pk: attr for attr in attrs}


def _find_entities(specs: Iterable[AttrSpec]) -> dict[int | str, Entity]:
    """Return the entities that the specs point to, by the id or name that is used for them."""
    wanted = {spec.name: [_key(referral) for referral in spec.referral or ()] for spec in specs}
    keys = {key for of_spec in wanted.values() for key in of_spec}
    if not keys:
        return {}
    ids = [key for key in keys if isinstance(key, int)]
    names = [key for key in keys if isinstance(key, str)]
    entities = list(Entity.objects.active().filter(Q(pk__in=ids) | Q(name__in=names)))
    found: dict[int | str, Entity] = {entity.pk: entity for entity in entities}
    found |= {entity.name: entity for entity in entities}
    faults = {
        attr_name: [_unknown_entity(attr_name, key) for key in of_spec if key not in found]
        for attr_name, of_spec in wanted.items()
    }
    if any(faults.values()):
        raise ValidationError({attr_name: messages for attr_name, messages in faults.items() if messages})
    return found


def _unknown_entity(attr_name: str, key: int | str) -> str:
    known = Entity.objects.active().values_list("name", flat=True)
    misses = near_misses(key, known) if isinstance(key, str) else ""
    noun = "named" if isinstance(key, str) else "with the id"
    return f"Attribute {attr_name!r} points to an entity {noun} {key!r}, which does not exist.{misses}"


def _key(referral: Referral) -> int | str:
    return referral.pk if isinstance(referral, Entity) else referral

"""Changes of an entity's attributes: reduced to what differs, checked together, stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import batched
from typing import Any, Final

from django.db.models import Case, CharField, OuterRef, Prefetch, Q, QuerySet, Subquery, When
from django.db.models import Value as Constant
from django.db.models.functions import Cast, Concat

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.user.models import Level
from pagoda.domain.user.permissions import Viewer, level_of, may, person
from pagoda_plugin_sdk.exceptions import COMPARED_NAMES
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.faults import Faults
from pagoda_plugin_sdk.rules.specs import AttrSpec, Referral, check_names, unknown_entity
from pagoda_plugin_sdk.rules.text import by_clean_name, clean_name, spellings

_BATCH_SIZE: Final = 500
_ASIDE: Final = "\x01"  # no name has a control character


class AttributeChanges:
    """The specs of one write against the attributes that the entity has."""

    def __init__(
        self, existing: Mapping[int, EntityAttr], specs: Sequence[AttrSpec], user: Viewer | None
    ) -> None:
        self._existing = existing
        self._targets = _find_entities(specs, user)
        self.specs = [spec for spec in specs if self._differs(spec)]

    def check(self, entity_name: str) -> None:
        """Check the names that the attributes are going to have, and how many they are going to be.

        Raises:
            ValidationError: two attributes would have one name, or they would be too many.
        """
        check_names(self._existing, self.specs, entity_name)

    def are_open(self) -> bool:
        """Return whether everybody who may read the entity may read one of those that are to change."""
        levels = [
            level
            for spec in self.specs
            for level in (
                spec.fields.get("default_permission", Level.NOTHING if spec.id else Level.FULL),
                self._existing[spec.id].default_permission if spec.id else Level.NOTHING,
            )
        ]
        return any(level >= Level.READABLE for level in levels)

    def store(self, entity: Entity, user: Viewer | None) -> list[dict[str, Any]]:
        """Store the changes and return them, ``[{"id", "name", what changed...}]``.

        The number of queries does not grow with the number of attributes, but for batches of rows.
        """
        self._free_names()
        attrs = [self._changed(spec, entity, user) for spec in self.specs]
        changed = {
            key for spec in self.specs if spec.id is not None and not spec.is_deleted for key in spec.fields
        }
        kept = [attr for attr, spec in zip(attrs, self.specs, strict=True) if spec.id and not spec.is_deleted]
        if changed:
            EntityAttr.objects.bulk_update(kept, sorted(changed), batch_size=_BATCH_SIZE)
        if "name" in changed:
            of_entries = EntityAttr.attributes.rel.related_model._default_manager
            names = EntityAttr.objects.filter(pk=OuterRef("schema")).values("name")
            for batch in batched([attr.pk for attr in kept], _BATCH_SIZE):
                of_entries.filter(schema__in=batch).update(name=Subquery(names))
        EntityAttr.objects.bulk_create([attr for attr in attrs if attr._state.adding], batch_size=_BATCH_SIZE)
        self._store_referrals(attrs)
        return [self._told(spec, attr) for spec, attr in zip(self.specs, attrs, strict=True)]

    def _differs(self, spec: AttrSpec) -> bool:
        """Return whether the spec changes anything; leave in it only what it changes."""
        if spec.id is None or spec.is_deleted:
            return True
        attr = self._existing[spec.id]
        spec.fields = {key: value for key, value in spec.fields.items() if getattr(attr, key) != value}
        if spec.referral is not None:
            stored = attr.referral.all()
            # What its sender can't see is not what they replace, while it points to entries at all.
            points = spec.fields.get("type", attr.type) & AttrType.OBJECT
            unseen = [target for target in stored if points and not vars(target)["is_seen"]]
            self._targets |= {target.pk: target for target in unseen}
            spec.referral += unseen
            if {target.pk for target in self._entities(spec)} == {target.pk for target in stored}:
                spec.referral = None
        return bool(spec.fields) or spec.referral is not None

    def _free_names(self) -> None:
        """Switch the removed off and put the renamed aside, so that names can be passed on in any order."""
        removed = [spec.id for spec in self.specs if spec.is_deleted and spec.id]
        renamed = [
            spec.id for spec in self.specs if not spec.is_deleted and spec.id and "name" in spec.fields
        ]
        for batch in batched(removed, _BATCH_SIZE):
            EntityAttr.objects.filter(pk__in=batch).update(is_active=False)
        aside = Concat(Constant(_ASIDE), Cast("pk", CharField()))
        for batch in batched(renamed if len(renamed) > 1 else (), _BATCH_SIZE):
            EntityAttr.objects.filter(pk__in=batch).update(name=aside)

    def _changed(self, spec: AttrSpec, entity: Entity, user: Viewer | None) -> EntityAttr:
        """Return the attribute as the spec wants it, not stored yet."""
        if spec.id is None:
            return EntityAttr(parent_entity=entity, created_user=person(user), **spec.fields)
        attr = self._existing[spec.id]
        for key, value in ({"is_active": False} if spec.is_deleted else spec.fields).items():
            setattr(attr, key, value)
        return attr

    def _store_referrals(self, attrs: Sequence[EntityAttr]) -> None:
        rows = EntityAttr.referral.through
        pairs = [
            (attr, spec) for attr, spec in zip(attrs, self.specs, strict=True) if spec.referral is not None
        ]
        for batch in batched([attr.pk for attr, spec in pairs if spec.id is not None], _BATCH_SIZE):
            rows.objects.filter(entityattr__in=batch).delete()
        added = {(attr.pk, target.pk) for attr, spec in pairs for target in self._entities(spec)}
        rows.objects.bulk_create(
            [rows(entityattr_id=attr_id, entity_id=target_id) for attr_id, target_id in sorted(added)],
            batch_size=_BATCH_SIZE,
        )

    def _told(self, spec: AttrSpec, attr: EntityAttr) -> dict[str, Any]:
        told = {"id": attr.pk, "name": attr.name, **spec.fields}
        if "type" in spec.fields:
            told["type"] = AttrType(attr.type).type_name
        if spec.referral is not None:
            told["referral"] = [target.name for target in self._entities(spec)]
        return told | ({"is_deleted": True} if spec.is_deleted else {})

    def _entities(self, spec: AttrSpec) -> list[Entity]:
        return [self._targets[_key(referral)] for referral in spec.referral or ()]


def existing_attributes(entity: Entity, viewer: Viewer | None) -> dict[int, EntityAttr]:
    """Return the active attributes of `entity` by id.

    Each has ``user_level``, and the entities it may point to, of which ``is_seen`` tells whether `viewer` may
    read them; None is the host.
    """
    seen, level = Q(is_active=True), level_of(viewer, "attr")
    if viewer is not None:
        seen &= may(viewer, Level.READABLE, "entity")
    targets = Entity.objects.annotate(is_seen=Case(When(seen, then=True), default=False))
    attrs = EntityAttr.objects.active().filter(parent_entity=entity).annotate(user_level=level)
    return {attr.pk: attr for attr in attrs.prefetch_related(Prefetch("referral", queryset=targets))}


def _find_entities(specs: Iterable[AttrSpec], user: Viewer | None) -> dict[int | str, Entity]:
    """Return the entities that the specs point to, by the id or name that is used for them."""
    specs = list(specs)
    wanted = {spec.name: [_key(referral) for referral in spec.referral or ()] for spec in specs}
    keys = {key for of_spec in wanted.values() for key in of_spec}
    if not keys:
        return {}
    ids = [key for key in keys if isinstance(key, int)]
    names = [referral for spec in specs for referral in spec.referral or () if isinstance(referral, str)]
    entities = [
        entity
        for condition, keys_of_kind in (("pk__in", ids), ("name__in", spellings(names)))
        for batch in batched(keys_of_kind, _BATCH_SIZE)
        for entity in _pointable(user).filter(**{condition: batch})
    ]
    found: dict[int | str, Entity] = {entity.pk: entity for entity in entities}
    found.update(by_clean_name((entity.name, entity) for entity in entities))
    faults = Faults()
    names = _names(user) if keys - found.keys() else []
    for attr_name, of_spec in wanted.items():
        for key in of_spec:
            if key not in found:
                faults.add(
                    attr_name,
                    "" if faults.is_full else unknown_entity(attr_name, key, names),
                    "unknown",
                )
    faults.raise_if_any()
    return found


def _pointable(user: Viewer | None) -> QuerySet[Entity]:
    entities = Entity.objects.active()
    return entities if user is None else entities.filter(may(user, Level.READABLE, "entity"))


def _names(user: Viewer | None) -> list[str]:
    return list(_pointable(user).order_by("name").values_list("name", flat=True)[:COMPARED_NAMES])


def _key(referral: Referral) -> int | str:
    return referral.pk if isinstance(referral, Entity) else clean_name(referral)

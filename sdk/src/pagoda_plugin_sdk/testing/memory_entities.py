"""Entities in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar

from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError

from pagoda_plugin_sdk.operations import PermissionLevel
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.converting import FindTarget, conversion_fault, convert
from pagoda_plugin_sdk.rules.entity_fields import read_entity_fields, taken_name
from pagoda_plugin_sdk.rules.faults import Faults
from pagoda_plugin_sdk.rules.incoming import noun_of
from pagoda_plugin_sdk.rules.scalar_types import ValueFault
from pagoda_plugin_sdk.rules.specs import (
    AttrSpec,
    check_names,
    copied,
    read_specs,
    unknown_entity,
)
from pagoda_plugin_sdk.rules.state import NOTHING, Definition, Link, LinkTarget, Value
from pagoda_plugin_sdk.rules.text import clean_name
from pagoda_plugin_sdk.rules.value_types import as_json
from pagoda_plugin_sdk.testing.queries import MemoryQuerySet
from pagoda_plugin_sdk.washing import shown


class MemoryEntity:
    """An entity; as in every host, who made it owns it, and others have its `default_permission`."""

    host: ClassVar[Any]  # a MemoryHost, which lies above
    _meta = SimpleNamespace(verbose_name="entity")

    def __init__(self, user: Any, name: str, note: str, default_permission: int) -> None:
        self.id = self.pk = len(self.host.entities) + 1
        self.name = name
        self.note = note
        self.default_permission = default_permission
        self.owner = self.created_user = user
        self.is_active = True

    def __str__(self) -> str:
        return self.name

    @property
    def level(self) -> int:
        """What everybody may do with it."""
        return self.default_permission

    @level.setter
    def level(self, level: int) -> None:
        self.default_permission = level

    def update_attrs(self, user: Any, attrs: Sequence[Mapping[str, Any]]) -> None:
        """Add attributes (with an ``"id"``: change that one) as one change; what is equal is none.

        Raises:
            PermissionDenied: `user` has not Full on it.
            ValidationError: an attribute is wrong; nothing is stored.
            HookRejected: a plugin refuses; nothing is stored.
        """
        host = self.host
        self._require_full(user)
        if not self.is_active:
            message = f"Entity {self.name!r} is deleted; restore it before changing it."
            raise ValidationError({NON_FIELD_ERRORS: ValidationError(message, code="deleted")})
        asked = [spec for spec in self._specs(attrs) if self._differs(spec)]
        ids = {spec.id for spec in asked}
        existing = {attr.id: attr for attr in self.active_attrs()}
        items = [item for item in copied(attrs, existing) if item.get("id") in ids]
        data: dict[str, Any] = {"attrs": items}
        if not asked:
            return
        acting = user or host.acting_user
        data = host.run_hook("entity.before_update", acting, data, self, entity_name=self.name)
        specs = [spec for spec in self._specs(data.get("attrs", [])) if self._differs(spec)]
        self._store(specs)
        host.changes.append(("update", "", self.name))
        host.run_hook("entity.after_update", acting, self, entity_name=self.name)

    def delete(self) -> None:
        """Delete it softly, as the acting user.

        Raises:
            ValidationError: it has active entries.
        """
        host, user = self.host, self.host.acting_user
        self._require_full(user)
        if not self.is_active:
            return
        if any(entry.schema is self and entry.is_active for entry in host.entries):
            message = f"Entity {self.name!r} has active entries; delete them first."
            raise ValidationError({NON_FIELD_ERRORS: ValidationError(message, code="in_use")})
        host.run_hook("entity.before_delete", user, self, entity_name=self.name)
        self.is_active = False
        host.changes.append(("delete", "", self.name))
        host.run_hook("entity.after_delete", user, self, entity_name=self.name)

    def restore(self) -> None:
        """Undo its deletion, as the acting user; there are no hooks for that."""
        self._require_full(self.host.acting_user)
        if not self.is_active:
            self._refuse_taken(self.name)
            self.is_active = True
            self.host.changes.append(("restore", "", self.name))

    def attrs(self) -> dict[str, str]:
        """Return ``{attribute name: type name}``."""
        return {attr.name: attr.attr_type.type_name for attr in self.active_attrs()}

    def active_attrs(self) -> list[MemoryEntityAttr]:
        """Return its attributes in their order."""
        found = [attr for attr in self.host.entity_attrs if attr.parent_entity is self and attr.is_active]
        return sorted(found, key=lambda attr: (attr.index, attr.id))

    def definitions(self, user: Any) -> tuple[Definition, ...]:
        """Return its attributes as the rules know them, with the levels of `user`."""
        return tuple(attr.definition(user) for attr in self.active_attrs())

    def may_permitted(self, user: Any, permission: int) -> bool:
        return bool(self.host.level_of(user, self) >= permission)

    def _require_full(self, user: Any) -> None:
        has = self.host.level_of(user, self)
        self.host.require(user, PermissionLevel.FULL, f"entity {self.name!r}", has)

    def _specs(self, attrs: Any) -> list[AttrSpec]:
        specs = read_specs(attrs, {attr.id: attr for attr in self.active_attrs()})
        self._find_referrals(specs)
        return specs

    def _find_referrals(self, specs: Iterable[AttrSpec]) -> None:
        """Put the entities that the specs point to in place of their ids and names."""
        known = [entity for entity in {*self.host.entities, self} if entity.is_active]
        faults = Faults()
        for spec in specs:
            for place, key in enumerate(spec.referral or ()):
                found = [entity for entity in known if clean_name(key) in (entity, entity.id, entity.name)]
                if found and spec.referral is not None:
                    spec.referral[place] = found[0]
                else:
                    names = [entity.name for entity in known]
                    faults.add(spec.name, unknown_entity(spec.name, key, names), "unknown")
        faults.raise_if_any()

    def _differs(self, spec: AttrSpec) -> bool:
        attr = next((each for each in self.active_attrs() if each.id == spec.id), None)
        if attr is None or spec.is_deleted:
            return True
        spec.fields = {key: value for key, value in spec.fields.items() if getattr(attr, key) != value}
        if spec.referral is not None and set(spec.referral) == set(attr.referral.all()):
            spec.referral = None
        return bool(spec.fields) or spec.referral is not None

    def _store(self, specs: Sequence[AttrSpec]) -> None:
        check_names({attr.id: attr for attr in self.active_attrs()}, specs, self.name)
        converted = self._converted(specs)
        for spec in specs:
            if spec.id is None:
                made: Any = self.host.models["EntityAttr"]
                self.host.entity_attrs.append(made(self, **spec.fields, targets=spec.referral or ()))
                continue
            attr = next(each for each in self.active_attrs() if each.id == spec.id)
            attr.is_active = not spec.is_deleted
            vars(attr).update({} if spec.is_deleted else spec.fields)
            attr.targets = attr.targets if spec.referral is None else list(spec.referral)
        for entry, attr_id, value in converted:
            entry.stored[attr_id] = value
        self.host.versions += len(converted)

    def _converted(self, specs: Sequence[AttrSpec]) -> list[tuple[Any, int, Value]]:
        """Return what values become whose attributes get another type, with entry and attribute.

        Raises:
            ValidationError: some can't be converted.
        """
        faults, converted = Faults(), []
        retyped = {
            spec.id: spec for spec in specs if spec.id and "type" in spec.fields and not spec.is_deleted
        }
        pairs = [(attr, retyped[attr.id]) for attr in self.active_attrs() if attr.id in retyped]
        for attr, spec in pairs:
            before = attr.definition(None)
            after = replace(
                before,
                type=spec.fields["type"],
                choices=tuple(spec.fields.get("choices", attr.choices)),
            )
            find = self._finder(attr.targets if spec.referral is None else spec.referral)
            for entry in self.host.entries:
                value = entry.state().value(before) if entry.schema is self else NOTHING
                try:
                    new = convert(value, before.type, after, find)
                except ValueFault as fault:
                    held = as_json(before, value, is_limited=False)
                    told = conversion_fault((entry.name, entry.id), held, after.type, str(fault))
                    faults.add(spec.name, told, "conversion")
                else:
                    converted += [(entry, attr.id, new)] if value.elements else []
        faults.raise_if_any()
        return converted

    def _finder(self, referral: Sequence[Any]) -> FindTarget:
        def find(definition: Definition, name: str) -> Link:
            noun = noun_of(definition.type)
            if noun == "entry" and not referral:
                raise ValueFault(
                    "a name tells an entry where 'referral' says of which entities; send it, too"
                )
            things = [each for each in self.host.targets if each._meta.verbose_name == noun]
            if noun == "entry":
                things = [each for each in self.host.entries if each.is_active and each.schema in referral]
            found = [each for each in things if each.name == name]
            if len(found) > 1:
                raise ValueFault(f"there are {len(found)} entries named {shown(name)}; name the entity, too")
            if not found:
                raise ValueFault(
                    f"there is no {noun} named {shown(name)}, or it is deleted; send an existing one"
                )
            return Link(target_id=found[0].pk, target=LinkTarget(id=found[0].pk, name=name))

        return find

    def _refuse_taken(self, name: str) -> None:
        others = (entity for entity in self.host.entities if entity is not self and entity.is_active)
        if any(clean_name(entity.name) == clean_name(name) for entity in others):
            raise taken_name(name)


class MemoryEntityAttr:
    """An attribute of an entity."""

    host: ClassVar[Any]  # a MemoryHost, which lies above

    def __init__(
        self,
        parent_entity: MemoryEntity,
        name: str,
        type: int,  # noqa: A002 - the field's name
        targets: Sequence[MemoryEntity] = (),
        **fields: Any,
    ) -> None:
        self.id = self.pk = len(self.host.entity_attrs) + 1
        self.parent_entity = parent_entity
        self.name = name
        self.type = type
        self.targets = list(targets)  # entities that it may point to; none: any
        self.is_mandatory: bool = fields.get("is_mandatory", False)
        self.index: int = fields.get("index", 0)
        self.is_summarized: bool = fields.get("is_summarized", False)
        self.is_indexed: bool = fields.get("is_indexed", False)
        self.is_delete_in_chain: bool = fields.get("is_delete_in_chain", False)
        self.on_delete: str = fields.get("on_delete", "null")
        self.note: str = fields.get("note", "")
        self.default_value = fields.get("default_value")
        self.choices: list[str] = fields.get("choices", [])
        self.default_permission: int = fields.get("default_permission", PermissionLevel.FULL)
        self.is_active = True

    @property
    def owner(self) -> Any:
        """Who owns its entity."""
        return self.parent_entity.owner

    @property
    def attr_type(self) -> AttrType:
        """Its type as an enum member."""
        return AttrType(self.type)

    @property
    def referral(self) -> MemoryQuerySet:
        """The entities that it may point to."""
        return MemoryQuerySet(lambda: self.targets, self.host.count_read)

    def get_default_value(self) -> Any:
        """Return the value that an entry has when none is given."""
        return [] if self.default_value is None and self.attr_type.is_array else self.default_value

    def definition(self, user: Any) -> Definition:
        """Return it as the rules know it, with the level of `user`."""
        return Definition(
            id=self.id,
            entity_id=self.parent_entity.id,
            name=self.name,
            type=self.attr_type,
            is_mandatory=self.is_mandatory,
            index=self.index,
            default_value=self.default_value,
            choices=tuple(self.choices),
            level=self.host.level_of(user, self, self.parent_entity),
            is_open=self.default_permission >= PermissionLevel.READABLE,
        )


class MemoryEntities(MemoryQuerySet):
    """``Entity.objects``."""

    def __init__(self, host: Any) -> None:
        super().__init__(lambda: host.entities, host.count_read)
        self._host = host

    def create_entity(
        self,
        *,
        user: Any,
        name: str,
        attrs: Sequence[Mapping[str, Any]] = (),
        note: str = "",
        default_permission: int | None = None,
    ) -> MemoryEntity:
        host, acting = self._host, user or self._host.acting_user
        if user is not None and not (user.is_superuser or host.is_authorized):
            raise PermissionDenied(
                f"Adding entities takes a right that user {user.username!r} has not. Ask for a role or a "
                "group that has it (`can_add_entities`, `entity.add_entity`)."
            )
        level = PermissionLevel.READABLE if default_permission is None else default_permission
        name = clean_name(name)
        given: dict[str, Any] = {"name": name, "note": note, "default_permission": level}
        data = given | {"attrs": copied(attrs)}
        data = host.run_hook("entity.before_create", acting, data, entity_name=str(name))
        fields = read_entity_fields(given | {key: value for key, value in data.items() if key != "attrs"})
        entity: MemoryEntity = host.models["Entity"](user, **fields)
        entity._refuse_taken(entity.name)  # noqa: SLF001 - of this module
        specs = entity._specs(data.get("attrs", []))  # noqa: SLF001
        entity._store(specs)  # noqa: SLF001
        host.entities.append(entity)
        host.changes.append(("create", "", entity.name))
        host.run_hook("entity.after_create", acting, entity, entity_name=entity.name)
        return entity

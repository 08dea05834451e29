"""Which entities and entries the account of a plugin reaches: what its permissions name, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.apps import apps

from pagoda.config.accounts import fitted
from pagoda.database_accounts.shared_tables import columns
from pagoda.database_accounts.sql import Statement, ident, literal, policy

ENTITIES = ("entity.Entity", "entity.EntityAttr", "entity.EntityAttr_referral")
ENTRIES = ("entry.Entry", "entry.Attribute", "entry.AttributeValue", "entry.AttributeReference")

# Of the rows of some entities; {names}: theirs. Arrays of sub-selects are made once per statement.
_IDS = "ARRAY(SELECT e.id FROM public.entity_entity e WHERE e.name IN ({names}))"
_ATTRS = f"ARRAY(SELECT d.id FROM public.entity_entityattr d WHERE d.parent_entity_id = ANY ({_IDS}))"
_ENTRY = (
    "EXISTS (SELECT FROM public.entry_entry e WHERE e.id = parent_entry_id AND e.schema_id = ANY ({ids}))"
)
_ATTRIBUTE = (
    "EXISTS (SELECT FROM public.entry_attribute a WHERE a.id = parent_attr_id "
    "AND a.schema_id = ANY ({attrs}))"
)
_CONDITIONS = {
    "entity.Entity": "name IN ({names})",
    "entity.EntityAttr": "parent_entity_id = ANY ({ids})",
    "entity.EntityAttr_referral": "entityattr_id = ANY ({attrs})",
    "entry.Entry": "schema_id = ANY ({ids})",
    "entry.Attribute": f"schema_id = ANY ({{attrs}}) AND {_ENTRY}",
    "entry.AttributeValue": f"{_ENTRY} AND {_ATTRIBUTE}",
    "entry.AttributeReference": "EXISTS (SELECT FROM public.entry_attributevalue v JOIN public.entry_entry e "
    "ON e.id = v.parent_entry_id WHERE v.id = value_id AND e.schema_id = ANY ({ids}))",
}


# To read, a row's parent that is seen is enough: no row is written whose parents are of different entities.
_SEEN = _CONDITIONS | {
    "entry.Attribute": "schema_id = ANY ({attrs})",
    "entry.AttributeValue": "EXISTS (SELECT FROM public.entry_entry e WHERE e.id = parent_entry_id)",
    "entry.AttributeReference": "EXISTS (SELECT FROM public.entry_attributevalue v WHERE v.id = value_id)",
}


@dataclass(frozen=True, slots=True)
class Reach:
    """Entities by name; with `all`, every one."""

    names: frozenset[str] = frozenset()
    all: bool = False

    @classmethod
    def of(cls, permissions: Iterable[str], *kinds: str) -> Reach:
        """Return what permissions such as ``entry:write`` or ``entry:read:Switch`` of some kinds reach."""
        texts = tuple(permissions)
        names = [
            text.removeprefix(f"{kind}:") for kind in kinds for text in texts if text.startswith(f"{kind}:")
        ]
        return cls(frozenset(names), any(kind in texts for kind in kinds))

    def __bool__(self) -> bool:
        return self.all or bool(self.names)

    def condition(self, model: str, *, to_read: bool = False) -> str:
        """Return the condition of the rows of a model that belong to these entities."""
        if self.all:
            return "true"
        names = ", ".join(map(literal, sorted(self.names)))
        ids = _IDS.format(names=names)
        return (_SEEN if to_read else _CONDITIONS)[model].format(names=names, ids=ids, attrs=self.attributes)

    @property
    def attributes(self) -> str:
        """Return the array of the ids of their attributes."""
        return _ATTRS.format(names=", ".join(map(literal, sorted(self.names))))


def domain_statements(plugin_id: str, role: str, permissions: Iterable[str]) -> Iterator[Statement]:
    """Yield the rights of an account on entities and entries, and the rows that they are for."""
    kept = tuple(permissions)
    writes_entities, writes_entries = Reach.of(kept, "entity:write"), Reach.of(kept, "entry:write")
    reads = Reach.of(kept, "entry:read", "entry:write")
    knows = Reach.of(kept, "entry:read", "entry:write", "entity:write")
    for model in ENTITIES:
        yield from _rights(model, plugin_id, role, reads=knows, writes=writes_entities)
    for model in ENTRIES:
        yield from _rights(model, plugin_id, role, reads=reads, writes=writes_entries)
    if writes_entities:  # an attribute's name is kept with the entries, too
        yield Statement(f"GRANT SELECT, UPDATE (name, is_active) ON public.entry_attribute TO {ident(role)}")
        own = "true" if writes_entities.all else f"schema_id = ANY ({writes_entities.attributes})"
        for command, check in (("SELECT", ""), ("UPDATE", own)):
            name = fitted(f"pagoda_names_{command.lower()}_", plugin_id)
            yield policy("entry_attribute", name, role, command, using=own, check=check)


def _rights(model: str, plugin_id: str, role: str, *, reads: Reach, writes: Reach) -> Iterator[Statement]:
    table = apps.get_model(model)._meta.db_table
    given = ", ".join(map(ident, columns(model, generated=False)))
    is_link = model == "entity.EntityAttr_referral"
    rights = ["SELECT"] if reads else []
    if writes:
        rights += [f"INSERT ({given})", "DELETE" if is_link else f"UPDATE ({given})"]
    if not rights:
        return
    yield Statement(f"GRANT {', '.join(rights)} ON public.{ident(table)} TO {ident(role)}")
    seen = reads.condition(model, to_read=True)
    yield policy(table, fitted("pagoda_select_", plugin_id), role, "SELECT", using=seen)
    if writes:
        own = writes.condition(model)
        yield policy(table, fitted("pagoda_insert_", plugin_id), role, "INSERT", check=own)
        if is_link:
            yield policy(table, fitted("pagoda_delete_", plugin_id), role, "DELETE", using=own)
        else:
            yield policy(table, fitted("pagoda_update_", plugin_id), role, "UPDATE", using=own, check=own)

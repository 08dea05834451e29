"""References by name, as people and files write them, made into ids.

An entry is ``{"name", "entity"}``, where the entity is a name or an id, or its name alone where the attribute
points to entries of one or more entities; a group or a role is its name, or ``{"name"}``. What has an id
stays as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import batched
from typing import Any, Final

from django.contrib.auth.models import Group
from django.db.models import Q

from pagoda.domain.access.querysets import readable
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.lookups import IsOneOf, reference_keys
from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.reading import Definitions
from pagoda.domain.user.models import Role
from pagoda.domain.user.permissions import Viewer, may_see
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.faults import Faults
from pagoda_plugin_sdk.rules.incoming import noun_of
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.scalar_types import ValueFault, is_row_id, whole
from pagoda_plugin_sdk.rules.state import Definition
from pagoda_plugin_sdk.rules.text import by_clean_name, clean_name, spellings
from pagoda_plugin_sdk.washing import shown

type Named = tuple[str, str | int | None]  # a thing's name, and its entity's, or that one's id, if given
type Find = Callable[[Definition, Named], Any]  # Any: what stands for the reference

_BATCH_SIZE: Final = 500


class NamedTargets:
    """What names in the values of one write mean, for somebody; None: the host."""

    def __init__(self, viewer: Viewer | None) -> None:
        self._viewer = viewer
        self._allowed: dict[int, dict[int, str]] = {}  # attribute -> {entity that it may point to: its name}
        self._entities: dict[str | int, int] = {}  # by clean name and by id
        self._found: dict[str, dict[tuple[int, str], int]] = {}
        self._by_key: Mapping[str | int, Definition] = {}  # the attributes that were looked up for

    def look_up(self, definitions: Definitions, given: Iterable[object]) -> None:
        """Find what is named in the values of entries of one entity: a query for each kind of thing."""
        wanted: dict[str, set[tuple[Definition, Named]]] = defaultdict(set)

        def note(definition: Definition, named: Named) -> None:
            wanted[noun_of(definition.type)].add((definition, named))

        self._by_key = reference_keys(definitions)
        for attrs in given:
            _replaced(self._by_key, attrs, note)
        self._found = {}
        if "entry" in wanted:
            self._found["entry"] = self._entries(wanted["entry"])
        for noun, model in (("group", Group), ("role", Role)):
            if noun in wanted:
                seen = model._default_manager.all()
                seen = seen if self._viewer is None else seen.filter(may_see(self._viewer, model))
                names = spellings(named[0] for _, named in wanted[noun])
                rows = [row for batch in batched(names, _BATCH_SIZE) for row in seen.filter(name__in=batch)]
                known = by_clean_name((row.name, row.pk) for row in rows)
                self._found[noun] = {(0, name): pk for name, pk in known.items()}

    def replaced(self, attrs: object) -> Any:  # Any: values, unchecked
        """Return the values of an entry of the entity with ids for what was looked up.

        Raises:
            ValidationError: keyed by attribute; there is no such thing, or more than one.
        """
        faults = Faults()

        def find(definition: Definition, named: Named) -> Any:
            try:
                return {"id": self.id_of(definition, named)}
            except ValueFault as fault:
                faults.add_type(
                    definition.name,
                    say("Attribute {definition!r}: {fault}", definition=definition.name, fault=fault),
                )
                return None

        attrs = _replaced(self._by_key, attrs, find)
        faults.raise_if_any()
        return attrs

    def unmet(self, attrs: object) -> set[str]:
        """Return the clean names in values of which nothing was found, or more than one thing."""
        names: set[str] = set()

        def note(definition: Definition, named: Named) -> None:
            try:
                self.id_of(definition, named)
            except ValueFault:
                names.add(clean_name(named[0]))

        _replaced(self._by_key, attrs, note)
        return names

    def id_of(self, definition: Definition, named: Named) -> int:
        """Return the id of a thing that was looked up.

        Raises:
            ValueFault: there is no such thing, or more than one.
        """
        noun, (name, entity) = noun_of(definition.type), named
        found = self._found.get(noun, {})
        ids = [
            found[key] for pk in self._schemas(definition, entity) if (key := (pk, clean_name(name))) in found
        ]
        if len(ids) == 1:
            return ids[0]
        of = say(" of entity {entity}", entity=shown(entity)) if entity is not None else ""
        if ids:
            raise ValueFault(
                say(
                    "there are {count} entries named {name}; name the entity, too",
                    count=len(ids),
                    name=shown(name),
                )
            )
        raise ValueFault(
            say(
                "there is no {noun} named {name}{of}, or it is deleted; send an existing one",
                noun=noun,
                name=shown(name),
                of=of,
            )
        )

    def _schemas(self, definition: Definition, entity: str | int | None) -> Iterable[int]:
        """Return the entities of which an entry may be; for groups and roles one that stands for none."""
        if not definition.type & AttrType.OBJECT:
            return (0,)
        if entity is not None:
            return (self._entities[name],) if (name := clean_name(entity)) in self._entities else ()
        allowed = self._allowed[definition.id]
        if not allowed:
            raise ValueFault(say('it may point to any entity; send {{"name": ..., "entity": ...}}'))
        return allowed

    def _entries(self, wanted: Iterable[tuple[Definition, Named]]) -> dict[tuple[int, str], int]:
        attrs = {definition.id for definition, _ in wanted} - self._allowed.keys()
        if attrs:
            self._allowed |= {each: {} for each in attrs}
            rows = EntityAttr.objects.filter(pk__in=attrs, referral__isnull=False)
            for attr, pk, name in rows.values_list("pk", "referral__pk", "referral__name"):
                self._allowed[attr][pk] = name
        entities = {entity for _, (_, entity) in wanted if clean_name(entity) not in self._entities}
        pks = {each for each in entities if isinstance(each, int)}
        for batch in batched(pks | spellings(entities - pks), _BATCH_SIZE):
            is_one = Q(name__in=[each for each in batch if isinstance(each, str)]) | Q(pk__in=pks & {*batch})
            rows = self._seen(Entity.objects.active()).filter(is_one).values_list("name", "pk")
            known: list[tuple[str, int]] = list(rows)
            self._entities.update(by_clean_name(known).items())
            self._entities.update((pk, pk) for _, pk in known)
        schemas: set[int] = set()
        for definition, (_, entity) in wanted:
            if entity is None:
                schemas |= self._allowed[definition.id].keys()
            elif (name := clean_name(entity)) in self._entities:
                schemas.add(self._entities[name])
        found: dict[tuple[int, str], int] = {}
        if schemas:
            names = IsOneOf("name", spellings(named[0] for _, named in wanted))
            rows = self._seen(Entry.objects.active()).filter(names, schema__in=schemas).order_by()
            for schema, name, pk in rows.values_list("schema_id", "name", "pk"):
                clean = clean_name(name)
                found[schema, clean] = pk if name == clean else found.get((schema, clean), pk)
        return found

    def _seen(self, rows: Any) -> Any:  # Any: a queryset of either model
        return rows if self._viewer is None else readable(rows, self._viewer)


def names_in(by_key: Mapping[str | int, Definition], attrs: object) -> set[str]:
    """Return the clean names of the entries that values refer to; `by_key` are the `reference_keys`."""
    names: set[str] = set()

    def note(definition: Definition, named: Named) -> None:
        if definition.type & AttrType.OBJECT:
            names.add(clean_name(named[0]))

    _replaced(by_key, attrs, note)
    return names


def _replaced(by_key: Mapping[Any, Definition], attrs: object, find: Find) -> Any:
    """Return values as they were given (`GivenAttrs`, unchecked), what is named in them replaced."""
    if by_key and isinstance(attrs, Mapping):
        found = {key: by_key.get(clean_name(key)) for key in attrs}
        return {key: _value(each, attrs[key], find) if each else attrs[key] for key, each in found.items()}
    if by_key and isinstance(attrs, list | tuple):
        return [_item(by_key, item, find) for item in attrs]
    return attrs


def _item(by_key: Mapping[Any, Definition], item: object, find: Find) -> object:
    if not isinstance(item, Mapping) or "value" not in item:
        return item
    key = item.get("id", item.get("name"))
    definition = by_key.get(clean_name(key)) if isinstance(key, str | int) else None
    return item if definition is None else {**item, "value": _value(definition, item["value"], find)}


def _value(definition: Definition, raw: object, find: Find) -> object:
    if definition.type.is_array and isinstance(raw, list | tuple):
        return [_element(definition, each, find) for each in raw]
    return _element(definition, raw, find)


def _element(definition: Definition, raw: object, find: Find) -> object:
    if AttrType.NAMED not in definition.type:
        return _target(definition, raw, find)
    if isinstance(raw, Mapping) and raw.get("object") is not None:
        return {**raw, "object": _target(definition, raw["object"], find)}
    return raw


def _target(definition: Definition, raw: object, find: Find) -> object:
    if isinstance(raw, str):
        return find(definition, (raw, None))
    if isinstance(raw, Mapping) and "id" not in raw and isinstance(name := raw.get("name"), str):
        entity = raw.get("entity")
        entity = whole(entity)
        if entity is None or isinstance(entity, str) or is_row_id(entity):
            return find(definition, (name, entity))
    return raw

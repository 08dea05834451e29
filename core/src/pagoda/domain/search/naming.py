"""Names in saved searches, kept with what they name: a search finds it under the name that it has now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, product
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from pagoda.domain.access.querysets import readable
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.search.conditions import MAX_TESTS
from pagoda.domain.search.filters import is_id
from pagoda.domain.search.resolving import ATTR, MAX_ENTITIES
from pagoda.domain.user.permissions import Viewer
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.text import clean_name, spellings
from pagoda_plugin_sdk.washing import shown

if TYPE_CHECKING:
    from pagoda.domain.search.models import SavedSearch

type Search = Mapping[str, Any]  # Any: as the API takes it
type Named = dict[str, Any]  # as `identified` returns it

_OWN: Final = "attrs"
_BEHIND: Final = "attrs_behind_references"


def identified(search: Search, entities: QuerySet[Any], attrs: QuerySet[Any]) -> Named:
    """Return the ids of what a search names, of entities and attributes that are given.

    ``{"entities": {given: id}, "attrs": {name: [id]}, "attrs_behind_references": {name: [id]}}``. Attributes
    behind a reference may be of any entity; others are of those that are searched.
    """
    of_entities = _entity_ids(search.get("entities") or (), entities)
    paths = [path for path in map(_path, _fields(search)) if path]
    own, behind = {path[0] for path in paths}, {name for path in paths for name in path[1:]}
    sought = spellings(each for name in own | behind for each in (name, _target(name)) if each)
    rows = attrs.filter(name__in=sought).order_by("pk").values_list("pk", "name", "parent_entity")
    found = list(rows) if sought else []
    searched = set(of_entities.values())
    of_searched = [row for row in found if not searched or row[2] in searched]
    return {"entities": of_entities, _OWN: _attr_ids(own, of_searched), _BEHIND: _attr_ids(behind, found)}


def _entity_ids(given: Iterable[int | str], entities: QuerySet[Any]) -> dict[str, int]:
    numbers = [int(each) for each in given if isinstance(each, int) or is_id(each)]
    rows = list(entities.filter(Q(name__in=spellings(given)) | Q(pk__in=numbers)).values_list("pk", "name"))
    found = {str(pk): pk for pk, _name in rows} | {clean_name(name): pk for pk, name in rows}
    keys = {str(each): str(clean_name(each)) for each in given}
    return {text: found[key] for text, key in keys.items() if key in found}


def _attr_ids(names: Iterable[str], rows: Iterable[tuple[int, str, int]]) -> dict[str, list[int]]:
    by_name: defaultdict[str, list[int]] = defaultdict(list)
    for pk, name, _entity_id in rows:
        by_name[clean_name(name)].append(pk)
    # An attribute may be called as another with a field of its target behind it: it is what is meant
    meant = [name if clean_name(name) in by_name else _target(name) for name in names]
    return {name: by_name[clean_name(name)][:MAX_ENTITIES] for name in meant if clean_name(name) in by_name}


class NamesNow:
    """What saved searches name, as `user` may see it, read in two queries for all of them."""

    def __init__(self, saved: Sequence[SavedSearch], user: Viewer | None) -> None:
        named = [row.named or {} for row in saved]
        entity_ids = {pk for each in named for pk in each.get("entities", {}).values()}
        attr_ids = {
            pk
            for each in named
            for kind in (_OWN, _BEHIND)
            for ids in each.get(kind, {}).values()
            for pk in ids
        }
        entities = readable(Entity.objects.filter(pk__in=entity_ids), user) if entity_ids else ()
        attrs = readable(EntityAttr.objects.filter(pk__in=attr_ids), user).select_related("parent_entity")
        self._entities: dict[int, Entity] = {entity.pk: entity for entity in entities}
        self._attrs: dict[int, EntityAttr] = {attr.pk: attr for attr in (attrs if attr_ids else ())}

    def search(self, saved: SavedSearch) -> dict[str, Any]:
        """Return a search under the names that entities and attributes have now.

        What entities had one name for, and have several now, is looked for under each of them.
        """
        named: Named = saved.named or {}
        search = dict(saved.search)
        if search.get("entities"):
            search["entities"] = [self._entity(each, named) for each in search["entities"]]
        if "where" in search:
            search["where"] = _changed(search["where"], lambda test: self._test(test, named))
        if search.get("ordering"):
            terms = [term.strip() for term in search["ordering"].split(",")]
            search["ordering"] = ",".join(
                sign + form
                for term in terms
                for sign in ("-" if term.startswith("-") else "",)
                for form in self._fields(term.removeprefix("-"), named)
            )
        if search.get("fields"):
            search["fields"] = [form for field in search["fields"] for form in self._fields(field, named)]
        return search

    def require(self, saved: SavedSearch) -> None:
        """Refuse a search of which something is gone.

        Raises:
            ValidationError: keyed by ``entities`` or ``search``; it names what is gone.
        """
        named: Named = saved.named or {}
        for pk in named.get("entities", {}).values():
            entity = self._entities.get(pk)
            if entity is not None and not entity.is_active:
                raise _gone("entities", entity)
        for kind in (_OWN, _BEHIND):
            for ids in named.get(kind, {}).values():
                attrs = [self._attrs[pk] for pk in ids if pk in self._attrs]
                if attrs and not any(map(_is_there, attrs)):
                    raise _gone("search", attrs[0])

    def _entity(self, given: int | str, named: Named) -> int | str:
        pk = named.get("entities", {}).get(str(given))
        entity = self._entities.get(pk) if pk != given and str(pk) != given else None
        return given if entity is None else entity.name

    def _test(self, test: dict[str, Any], named: Named) -> Any:
        forms = self._forms(test["field"], named)
        # "Not equal" is said of entities that have the attribute, and of all that a reference may lead to
        inner = "and" if test.get("op") == "ne" else "or"
        return _joined("or", [_joined(inner, [{**test, "field": each} for each in form]) for form in forms])

    def _fields(self, field: str, named: Named) -> list[str]:
        return [each for form in self._forms(field, named) for each in form]

    def _forms(self, field: str, named: Named) -> list[list[str]]:
        """Return what a field is called now, by what its first attribute is."""
        path = _path(field)
        if not path:
            return [[field]]
        firsts = self._today(path[0], named.get(_OWN, {}))
        rests = [self._today(name, named.get(_BEHIND, {})) for name in path[1:]]
        return [
            [ATTR + f".{ATTR}".join((first, *rest)) for rest in islice(product(*rests), MAX_TESTS + 1)]
            for first in firsts
        ]

    def _today(self, name: str, known: Mapping[str, list[int]]) -> list[str]:
        target = _target(name)
        suffix = name.removeprefix(target) if name not in known and target in known else ""
        ids = known.get(target if suffix else name, ())
        attrs = [self._attrs[pk] for pk in ids if pk in self._attrs]
        names = dict.fromkeys(attr.name + suffix for attr in attrs if _is_there(attr))
        return [*names] or [name]


def _path(field: str) -> list[str]:
    """Return the names of attributes that lead to a field; behind the last may be a field of its target."""
    return field.removeprefix(ATTR).split(f".{ATTR}") if field.startswith(ATTR) else []


def _target(name: str) -> str:
    return name.rpartition(".")[0]


def _fields(search: Search) -> Iterator[str]:
    yield from search.get("fields") or ()
    for term in (search.get("ordering") or "").split(","):
        yield term.strip().removeprefix("-")
    yield from _tested(search.get("where"))


def _tested(tree: Any) -> Iterator[str]:  # Any: JSON
    match tree:
        case {"and": list(parts)} | {"or": list(parts)}:
            for part in parts:
                yield from _tested(part)
        case {"not": part}:
            yield from _tested(part)
        case {"field": str(field)}:
            yield field


def _changed(tree: Any, change: Callable[[dict[str, Any]], Any]) -> Any:
    """Return a tree of conditions with what `change` makes of each test."""
    match tree:
        case {"and": list(parts)}:
            return {"and": [_changed(part, change) for part in parts]}
        case {"or": list(parts)}:
            return {"or": [_changed(part, change) for part in parts]}
        case {"not": part}:
            return {"not": _changed(part, change)}
        case {"field": str()}:
            return change(tree)
    return tree


def _joined(word: str, parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else {word: parts}


def _is_there(attr: EntityAttr) -> bool:
    return attr.is_active and attr.parent_entity.is_active


def _gone(key: str, what: Entity | EntityAttr) -> ValidationError:
    if isinstance(what, EntityAttr) and what.parent_entity.is_active:
        fault = say(
            "Attribute {name} of entity {entity}, which this search names, was removed; restore it, or save "
            "the search without it.",
            name=shown(what.name),
            entity=shown(what.parent_entity.name),
        )
    else:
        entity = what.parent_entity if isinstance(what, EntityAttr) else what
        fault = say(
            "Entity {name}, which this search names, was deleted; restore it, or save the search without it.",
            name=shown(entity.name),
        )
    return ValidationError({key: [fault]}, code="gone")

"""What a bulk write is asked to do, item by item, and what became of each."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import Any, Final, Literal

from django.core.exceptions import ValidationError
from django.db.models import Q

from pagoda.domain.access.querysets import readable
from pagoda.domain.entity.models import Entity
from pagoda.domain.user.permissions import Viewer
from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.rules.faults import Faults
from pagoda_plugin_sdk.rules.incoming import GivenAttrs
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.scalar_types import is_row_id, whole
from pagoda_plugin_sdk.rules.state import Value
from pagoda_plugin_sdk.rules.text import by_clean_name, clean_name, spellings
from pagoda_plugin_sdk.washing import shown

type Op = Literal["create", "update", "upsert", "delete"]
type Status = Literal["created", "updated", "unchanged", "deleted", "refused", "not_tried"]

FIELDS: Final[Mapping[str, tuple[Collection[str], Collection[str]]]] = {  # those it needs, those it may have
    "create": (("entity", "name"), ("note", "attrs")),
    "update": (("id",), ("name", "note", "attrs")),
    "upsert": (("entity", "name"), ("note", "attrs", "key")),
    "delete": (("id",), ()),
}
"""What each kind of write takes beside `op`."""
_KNOWN: Final = {op: frozenset(("op", *needed, *others)) for op, (needed, others) in FIELDS.items()}
_BATCH_SIZE: Final = 500
NAME: Final = "name"
"""The key of an upsert that finds entries by their name."""


@dataclass(slots=True)
class Result:
    """What became of one item."""

    status: Status = "not_tried"
    id: int | None = None  # of the entry
    error: Exception | None = None  # why it was refused: what the service for one entry raises

    def refuse(self, error: Exception) -> None:
        """Note that nothing of it is written."""
        self.status, self.id, self.error = "refused", None, error


@dataclass(slots=True, kw_only=True)
class BulkItem:
    """One write of an entry."""

    op: Op
    entity: Entity | None = None  # of create and upsert
    id: int = 0  # of update and delete
    key: str = NAME  # an upsert's, clean: what finds the entry, its name or an attribute
    fields: dict[str, Any] = field(default_factory=dict)  # Any: name and note, unchecked
    attrs: GivenAttrs = field(default_factory=dict)
    found_by: Value | None = None  # an upsert's value of its key attribute, as its type keeps it
    result: Result = field(default_factory=Result)
    # Where it is a mapping: references by names that mean nothing yet go here, and the rest is written.
    left_out: dict[str, Any] | None = None
    awaited: Container[str] | None = None  # of new entries alone, and if they have these clean names alone
    why: Exception | None = None  # they mean nothing
    lacks: bool = False  # refused for nothing but references to what may come yet

    @property
    def identity(self) -> object:
        """Return what no two items have that are written together."""
        if self.entity is None:
            return self.id
        if self.key != NAME and self.found_by is not None:
            return self.found_by
        value = clean_name(self.fields.get(NAME)) if self.key == NAME else self.key_value()
        return shown(value) if isinstance(value, list | dict) else (type(value), value)

    def key_value(self) -> Any:
        """Return the value of an upsert's key attribute as it was given, None without one."""
        if isinstance(self.attrs, Mapping):
            return next((value for name, value in self.attrs.items() if clean_name(name) == self.key), None)
        return next((x.get("value") for x in self.attrs if clean_name(x.get("name")) == self.key), None)


def read_items(given: Sequence[object], viewer: Viewer | None) -> list[BulkItem]:
    """Return the items, those that make no sense refused.

    Each is ``{"op", "entity" or "id", "name", "note", "attrs", "key"}``; an entity is an id or a name.
    """
    given = [_with_whole_ids(raw) if isinstance(raw, Mapping) else raw for raw in given]
    entities = _entities((x.get("entity") for x in given if isinstance(x, Mapping)), viewer)
    items = []
    for raw in given:
        item = BulkItem(op="create")
        items.append(item)
        try:
            _read(item, raw, entities)
        except ValidationError as error:
            item.result.refuse(error)
    return items


def _with_whole_ids(raw: Mapping[str, object]) -> Mapping[str, object]:
    return {**raw, **{key: whole(raw[key]) for key in ("id", "entity") if key in raw}}


def _read(item: BulkItem, raw: object, entities: Mapping[int | str, Entity]) -> None:
    op = raw.get("op") if isinstance(raw, Mapping) else None
    if not isinstance(raw, Mapping) or not isinstance(op, str) or op not in FIELDS:
        message = say(
            'An item is {{"op": "create", "update", "upsert" or "delete", ...}}, not {raw}.', raw=shown(raw)
        )
        raise ValidationError({"op": [message]}, code="type")
    item.op = raw["op"]
    needed, known = FIELDS[item.op][0], _KNOWN[item.op]
    faults = Faults()
    for key in needed:
        if key not in raw:
            faults.add(key, say("To {op} an entry takes {key!r}; add it.", op=item.op, key=key), "invalid")
    for key in () if known.issuperset(raw) else raw.keys() - known:
        misses = "" if faults.is_full else near_misses(str(key), known)
        faults.add(
            str(key)[:200],
            say("There is no field {key} to {op}.{misses}", key=shown(key), op=item.op, misses=misses),
            "invalid",
        )
    if "id" in raw and not is_row_id(raw["id"]):
        faults.add("id", say("expected the id of an entry, got {raw}.", raw=shown(raw["id"])), "invalid")
    if not isinstance(raw.get("key", NAME), str):
        faults.add(
            "key",
            say("expected 'name' or the name of an attribute, got {raw}.", raw=shown(raw["key"])),
            "invalid",
        )
    if not isinstance(attrs := raw.get("attrs", {}), list | dict):
        faults.add(
            "attrs",
            say("expected {{name: value}} or a list of items, got {attrs}.", attrs=shown(attrs)),
            "invalid",
        )
    if "entity" in raw:
        item.entity = entities.get(clean_name(raw["entity"])) if _is_key(raw["entity"]) else None
        if item.entity is None:
            nothing = say("There is no entity {raw}, or you may not see it.", raw=shown(raw["entity"]))
            faults.add("entity", nothing, "invalid")
    faults.raise_if_any()
    item.id, item.key, item.attrs = raw.get("id", 0), clean_name(raw.get("key", NAME)), raw.get("attrs", {})
    item.fields = {key: raw[key] for key in (NAME, "note") if key in raw}


def _entities(given: Iterable[object], viewer: Viewer | None) -> dict[int | str, Entity]:
    keys = {key for key in given if _is_key(key)}
    wanted = {key for key in keys if isinstance(key, int)} | spellings(keys)
    found: dict[int | str, Entity] = {}
    active = Entity.objects.active()
    entities = active if viewer is None else readable(active, viewer)
    for batch in batched(wanted, _BATCH_SIZE):
        ids = [key for key in batch if isinstance(key, int)]
        names = [key for key in batch if isinstance(key, str)]
        found |= {entity.pk: entity for entity in entities.filter(Q(pk__in=ids) | Q(name__in=names))}
    return found | by_clean_name((entity.name, entity) for entity in found.values())


def _is_key(key: object) -> bool:
    return isinstance(key, str) or is_row_id(key)

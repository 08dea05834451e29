"""Entities and their entries as a user sees them, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any, Final

from pagoda.domain.access import attrinfo_for, entity_attrinfo_for, readable
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.reading import with_values
from pagoda.domain.user.models import User
from pagoda.hooks.bridge import filter_entity_attrs, filter_entry_attrs
from pagoda.transfer.document import TransferFault
from pagoda.transfer.formats import FORMATS
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.text import clean_name, spellings
from pagoda_plugin_sdk.washing import shown

_AT_ONCE: Final = 1_000
_SPEC: Final = (
    "name", "type", "is_mandatory", "index", "is_summarized", "is_indexed", "is_delete_in_chain", "on_delete",
    "note", "choices",
)  # fmt: skip

type Progress = Callable[[int, float], None]  # rows done, and the part of the whole


def export(
    stream: IO[bytes],
    user: User | None,
    *,
    file_format: str,
    entities: Sequence[str] = (),
    progress: Progress = lambda _rows, _part: None,
) -> int:
    """Write active entries and the schema of their entities, as `user` sees them; return how many entries.

    Without `entities`, names, all are written; without `user` what the host sees.

    Raises:
        TransferFault: an entity does not exist, or the format can't hold a value.
    """
    seen_by = user or User(username="host", is_superuser=True)
    found = readable(Entity.objects.active(), seen_by).order_by("pk")
    chosen = list(found.filter(name__in=spellings(entities)) if entities else found)
    missing = set(map(clean_name, entities)) - {clean_name(entity.name) for entity in chosen}
    if missing:
        raise TransferFault(
            say("There is no entity {missing}, or you may not see it.", missing=shown(min(missing)))
        )
    rows = _Rows(chosen, seen_by, progress)
    FORMATS[file_format].write(stream, _schema(chosen, seen_by), rows)
    return rows.done


def _schema(entities: Sequence[Entity], user: User) -> list[dict[str, Any]]:  # Any: specs
    infos = entity_attrinfo_for(entities, user)
    stored = EntityAttr.objects.filter(parent_entity__in=[entity.pk for entity in entities])
    kept = {attr.pk: attr for attr in stored}
    schema = []
    for entity in entities:
        attrs = []
        for info in filter_entity_attrs(entity, infos[entity.pk]):
            spec = {key: info[key] for key in _SPEC if info.get(key) not in (None, "", [], False)}
            spec["default_permission"] = kept[info["id"]].default_permission
            if (default := kept[info["id"]].default_value) is not None:
                spec["default_value"] = default
            if info["referral"]:
                spec["referral"] = [each["name"] for each in info["referral"]]
            attrs.append(spec)
        own = {"name": entity.name, "note": entity.note, "default_permission": entity.default_permission}
        schema.append({**own, "attrs": attrs})
    return schema


class _Rows:
    """The entries of some entities, a few of which are held at a time."""

    def __init__(self, entities: Sequence[Entity], user: User, progress: Progress) -> None:
        self._user, self._progress = user, progress
        self._entries = readable(Entry.objects.active(), user).filter(schema__in=[e.pk for e in entities])
        self.done = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:  # Any: JSON
        total, last = self._entries.order_by().count(), 0
        rows = with_values(self._entries.select_related("schema").order_by("pk"), self._user)
        while page := list(rows.filter(pk__gt=last)[:_AT_ONCE]):
            infos = attrinfo_for(page, self._user)
            for entry in page:
                attrs = filter_entry_attrs(entry, infos[entry.pk], False)
                values = {info["name"]: _by_name(info["type"], info["value"]) for info in attrs}
                row: dict[str, Any] = {"entity": entry.schema.name, "name": entry.name}
                row |= {"note": entry.note} if entry.note else {}
                yield row | {"attrs": {key: each for key, each in values.items() if each not in (None, [])}}
            self.done, last = self.done + len(page), page[-1].pk
            self._progress(self.done, self.done / max(total, self.done))


def _by_name(type_name: str, value: Any) -> Any:  # Any: JSON, as the API shows it
    """Return a value with references by names, for another host has other ids."""
    if isinstance(value, list):
        return [_by_name(type_name.removeprefix("array_"), each) for each in value]
    if not isinstance(value, Mapping):
        return value
    if type_name == "named_object":
        target = value["object"]
        return {"name": value["name"], "object": None if target is None else _named(target)}
    return _named(value)


def _named(target: Mapping[str, Any]) -> dict[str, Any]:
    return ({"entity": target["schema"]["name"]} if "schema" in target else {}) | {"name": target["name"]}

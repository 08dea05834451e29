"""The service that writes many entries at once, each with its hooks as if it were written alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.db.models import Q

from pagoda.domain.access.querysets import readable
from pagoda.domain.bulk.items import NAME, BulkItem, Result
from pagoda.domain.bulk.ordering import apart
from pagoda.domain.bulk.waiting import KeptTexts
from pagoda.domain.changes import change_scope, has_savepoints, writing
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.creating import REFUSALS, EachOutcome, create_each
from pagoda.domain.entry.deleting import delete_entries
from pagoda.domain.entry.lookups import IsOneOf, reference_keys
from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.named_references import NamedTargets, names_in
from pagoda.domain.entry.reading import Definitions, definitions_of, read_states, with_values, with_version
from pagoda.domain.entry.storing import HoldsOneOf
from pagoda.domain.entry.updating import EntryUpdate, update_each
from pagoda.domain.user.permissions import Viewer
from pagoda_plugin_sdk.rules.faults import fault_key
from pagoda_plugin_sdk.rules.incoming import GivenAttrs
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.scalar_types import ValueFault
from pagoda_plugin_sdk.rules.state import NOTHING, Definition, Link, Value
from pagoda_plugin_sdk.rules.text import by_clean_name, clean_name, spellings
from pagoda_plugin_sdk.rules.value_types import parse
from pagoda_plugin_sdk.washing import shown


class BulkRefused(Exception):
    """Nothing was written, as one item at least was refused; the items' results say which and why."""


def write_many(
    user: Viewer | None, items: Sequence[BulkItem], *, is_atomic: bool, waiting: KeptTexts | None = None
) -> None:
    """Do what the items say, in their order, in one transaction; each item's result says what became of it.

    Neighbours of one kind and entity are written together: what an item says by name may be made by one
    before it. In an upsert's neighbours new entries are made first. `waiting` keeps which entries items lack
    references for: items of the same entries have to wait with them.

    Raises:
        BulkRefused: an item was refused, and `is_atomic` asks for all or none.
        ValidationError, PermissionDenied, HookRejected: inside of `without_savepoints`, where what is refused
            can't be told from the items beside it.
        BeyondAuthority: plugin code names another user.
    """
    with writing(user) as actor:
        bulk = _Bulk(user, actor, waiting)
        if is_atomic and any(item.result.error for item in items):
            raise BulkRefused
        for stretch in bulk.stretches([item for item in items if item.result.error is None]):
            bulk.do([item for item in stretch if not bulk.waits(item)])
            if is_atomic and any(item.result.error for item in stretch):
                raise BulkRefused


class _Bulk:
    """One bulk write."""

    def __init__(self, user: Viewer | None, actor: Viewer | None, waiting: KeptTexts | None) -> None:
        self._user, self._actor, self._waiting = user, actor, waiting
        self._targets = NamedTargets(actor)
        self._definitions: dict[int, Definitions] = {}
        self._references: dict[int, Mapping[str | int, Definition]] = {}
        self._keys: dict[tuple[int, str], Definition | None] = {}
        self._does: dict[str, Callable[[Sequence[BulkItem], EachOutcome], object]] = {
            "create": self._create,
            "update": self._update,
            "upsert": self._upsert,
            "delete": self._delete,
        }

    def stretches(self, items: Iterable[BulkItem]) -> Iterator[list[BulkItem]]:
        """Yield neighbours that can be written together."""
        stretch: list[BulkItem] = []
        seen: set[object] = set()
        names: set[object] = set()
        last: object = None
        for item in items:
            refers = self._referred(item, item.entity) if item.entity else ()
            item.found_by = self._key_value(item)
            kind = (item.op, item.entity, item.key)
            identity = item.identity
            if stretch and (kind != last or identity in seen or not names.isdisjoint(refers)):
                yield stretch
                stretch, seen, names = [], set(), set()
            last = kind
            stretch.append(item)
            seen.add(identity)
            if isinstance(name := item.fields.get(NAME), str):
                names.add(clean_name(name))
        if stretch:
            yield stretch

    def waits(self, item: BulkItem) -> bool:
        """Return whether an item has to wait for one before it, and refuse it then."""
        if self._waiting is None or _kept(item) not in self._waiting:
            return False
        item.lacks = True
        item.result.refuse(ValidationError("waits", code="waits"))  # told to nobody: asked again
        return True

    def do(self, items: Sequence[BulkItem]) -> None:
        """Write the items together; alone, where what is refused can't be told from what is not."""
        if not items:
            return
        try:
            with change_scope():
                outcome = EachOutcome()
                self._does[items[0].op](items, outcome)
                if outcome.refused and outcome.hooks_wrote:  # and that is not to stay
                    raise next(iter(outcome.refused.values()))
        except REFUSALS as error:
            if not has_savepoints():
                raise
            if len(items) == 1:
                items[0].result.refuse(error)
                return
            for item in items:
                item.result = Result()
                self.do([item])

    def _create(self, items: Sequence[BulkItem], outcome: EachOutcome) -> None:
        entity = items[0].entity if items else None
        kept = self._resolved(items, entity)
        if entity is None or not kept:
            return
        stored = with_version(Entity.objects.filter(pk=entity.pk), self._actor).get()
        rows = [{**item.fields, "attrs": item.attrs} for item in kept]
        own = EachOutcome()
        made = iter(create_each(self._user, stored, rows, own))
        for index, item in enumerate(kept):
            if index not in own.refused:
                item.result = Result("created", next(made).pk)
        _take_over(outcome, own, kept)

    def _update(self, items: Sequence[BulkItem], outcome: EachOutcome) -> None:
        entries = self._entries([item.id for item in items])
        known = [item for item in items if item.id in entries or _refuse_unknown(item)]
        names = {id(item): clean_name(entries[item.id].name) for item in known}

        def refers(item: BulkItem) -> Collection[str]:
            return self._referred(item, entries[item.id].schema)

        for _, alike in groupby(known, lambda item: entries[item.id].schema_id):
            first, *others = apart(list(alike), names, refers)
            for part in (first, *others) if others else ():
                self._update(part, outcome)
            if not others and (kept := self._resolved(first, None, entries)):
                self._update_alike(kept, entries, outcome)

    def _update_alike(
        self, items: Sequence[BulkItem], entries: Mapping[int, Entry], outcome: EachOutcome
    ) -> None:
        updates = [EntryUpdate(n, entries[x.id], dict(x.fields), x.attrs) for n, x in enumerate(items)]
        own = EachOutcome()
        changed = set(update_each(self._user, updates, own))
        for index, item in enumerate(items):
            item.result = Result("updated" if index in changed else "unchanged", item.id)
        _take_over(outcome, own, items)

    def _upsert(self, items: Sequence[BulkItem], outcome: EachOutcome) -> None:
        entity, key = items[0].entity, items[0].key
        if entity is None:
            return
        names: dict[int, str] = {}
        if key == NAME:
            found = self._by_name(entity, items)
        else:
            found, names = self._by_attribute(entity, key, items)
        items = [item for item in items if item.result.error is None]
        parts = [items] if key == NAME else [*apart(items, names, lambda item: self._referred(item, entity))]
        if len(parts) > 1:
            for part in parts:
                self._upsert(part, outcome)
            return
        self._create([item for item in items if id(item) not in found], outcome)
        known = [item for item in items if id(item) in found]
        for item in known:
            item.id = found[id(item)]
        self._update(known, outcome)

    def _delete(self, items: Sequence[BulkItem], _outcome: EachOutcome) -> None:
        entries = self._entries([item.id for item in items])
        kept = [item for item in items if item.id in entries or _refuse_unknown(item)]
        active = {pk for pk, entry in entries.items() if entry.is_active}
        delete_entries(list(entries.values()), self._user)
        for item in kept:
            item.result = Result("deleted" if item.id in active else "unchanged", item.id)

    def _entries(self, ids: Sequence[int]) -> dict[int, Entry]:
        """Return the entries that the writer may see, with what an update needs, locked in one order."""
        entries = self._seen(Entry.objects.select_related("schema").filter(pk__in=ids).order_by("pk"))
        rows = with_values(entries, self._actor, for_update=True)
        return {each.pk: each for each in rows.select_for_update(no_key=True, of=("self",))}

    def _by_name(self, entity: Entity, items: Sequence[BulkItem]) -> dict[int, int]:
        names = spellings(item.fields[NAME] for item in items)
        rows = self._seen(Entry.objects.active().filter(IsOneOf("name", names), schema=entity.pk)).order_by()
        known = by_clean_name(rows.values_list("name", "pk"))
        return {
            id(item): known[name] for item in items if (name := str(clean_name(item.fields[NAME]))) in known
        }

    def _by_attribute(
        self, entity: Entity, key: str, items: Sequence[BulkItem]
    ) -> tuple[dict[int, int], dict[int, str]]:
        """Return the entries by the value of an attribute, and their clean names, by `id` of the item.

        Where there are several the item is refused.
        """
        definition = self._finding(entity, key)
        wanted = {id(item): item.found_by for item in items if item.found_by is not None}
        for item in items:  # whose value is none of its type is refused where the item is made
            if item.found_by == NOTHING:
                message = say("Attribute {key!r} is to find the entry; give it a value.", key=key)
                item.result.refuse(ValidationError({fault_key(key): [message]}, code="required"))
        values = [
            element
            for value in wanted.values()
            for element in value.elements
            if not isinstance(element, Link)
        ]
        has_one = Q(HoldsOneOf(definition.id, values)) | Q(current_values=None)
        held: defaultdict[Value, list[Entry]] = defaultdict(list)
        rows = list(with_values(self._seen(Entry.objects.active().filter(schema=entity.pk).filter(has_one))))
        states = read_states(rows)
        for row in rows:
            held[states[row.pk].value(definition)].append(row)
        for item in items:
            if len(rows := held[wanted.get(id(item), NOTHING)]) > 1 and item.result.error is None:
                message = say(
                    "{count} entries of {entity!r} have this value; update one by its id.",
                    count=len(rows),
                    entity=entity.name,
                )
                item.result.refuse(ValidationError({fault_key(key): [message]}, code="ambiguous"))
        found = {key: held[value][0] for key, value in wanted.items() if value.elements and held[value]}
        names = {key: clean_name(row.name) for key, row in found.items()}
        return {key: row.pk for key, row in found.items()}, names

    def _finding(self, entity: Entity, key: str) -> Definition:
        """Return the attribute that upserts find entries by.

        Raises:
            ValidationError: there is none, or it holds no single plain value.
        """
        definition = self._definition(entity, key)
        attrs = EntityAttr.objects.active().filter(pk=definition.id if definition else 0)
        if definition is None or not self._seen(attrs).exists():
            message = say("Entity {entity!r} has no attribute {key}.", entity=entity.name, key=shown(key))
            raise ValidationError({"key": [message]})
        if definition.type.is_array or definition.type.is_reference:
            raise ValidationError(
                {"key": [say("Attribute {key!r} holds no single plain value to find by.", key=key)]}
            )
        return definition

    def _definition(self, entity: Entity, key: str) -> Definition | None:
        if (entity.pk, key) not in self._keys:
            by_name = by_clean_name((each.name, each) for each in self._of(entity))
            self._keys[entity.pk, key] = by_name.get(key)
        return self._keys[entity.pk, key]

    def _key_value(self, item: BulkItem) -> Value | None:
        """Return the value that finds an upsert's entry, as its type keeps it: 5.0 is 5; None: it is none."""
        if item.entity is None or item.key == NAME:
            return None
        definition = self._definition(item.entity, item.key)
        if definition is None or definition.type.is_array or definition.type.is_reference:
            return None  # refused where entries are looked for
        try:
            return parse(definition, item.key_value())
        except ValueFault:
            return None

    def _resolved(
        self, items: Sequence[BulkItem], entity: Entity | None, entries: Mapping[int, Entry] | None = None
    ) -> list[BulkItem]:
        """Return the items, their references by ids, but those that name what is not there."""
        kept = []
        definitions = self._of(entity or (entries or {})[items[0].id].schema) if items else ()
        self._targets.look_up(definitions, [item.attrs for item in items])
        for item in items:
            item.lacks = False
            try:
                item.attrs = self._replaced(item, is_new=entries is None)
            except ValidationError as error:
                item.result.refuse(error)
                item.lacks = self._may_come(item)
                if item.lacks and self._waiting is not None:
                    self._waiting.add(_kept(item))
                continue
            kept.append(item)
        return kept

    def _may_come(self, item: BulkItem) -> bool:
        return item.awaited is None or all(name in item.awaited for name in self._targets.unmet(item.attrs))

    def _replaced(self, item: BulkItem, *, is_new: bool) -> GivenAttrs:
        if item.awaited is not None and not (is_new and self._may_come(item)):
            return cast("GivenAttrs", self._targets.replaced(item.attrs))
        while True:  # an answer names a bounded number of faults, so that one round may not find all
            try:
                return cast("GivenAttrs", self._targets.replaced(item.attrs))
            except ValidationError as error:
                if item.left_out is None or not isinstance(item.attrs, Mapping):
                    raise
                refused = error.message_dict
                out = {
                    key: each
                    for key, each in item.attrs.items()
                    if fault_key(str(clean_name(key))) in refused
                }
                if not out:
                    raise
                item.why = item.why or error
                item.left_out |= out
                item.attrs = {name: each for name, each in item.attrs.items() if name not in out}

    def _of(self, entity: Entity) -> Definitions:
        if entity.pk not in self._definitions:
            version = Entity.objects.values_list("attrs_version", flat=True).get(pk=entity.pk)
            self._definitions |= definitions_of({entity.pk: version})
        return self._definitions[entity.pk]

    def _referred(self, item: BulkItem, entity: Entity) -> Collection[str]:
        """Return the clean names that an item of an entity refers to."""
        if entity.pk not in self._references:
            self._references[entity.pk] = reference_keys(self._of(entity))
        by_key = self._references[entity.pk]
        return names_in(by_key, item.attrs) if by_key else ()

    def _seen(self, rows: Any) -> Any:  # Any: a queryset of any model with rights
        return rows if self._actor is None else readable(rows, self._actor)


def _kept(item: BulkItem) -> str:
    """Return what tells the entry of an upsert from others."""
    return f"{item.entity.pk if item.entity else 0} {item.identity!r}"


def _take_over(outcome: EachOutcome, own: EachOutcome, items: Sequence[BulkItem]) -> None:
    """Note in `outcome`, which is of many parts, what was refused of the items of one."""
    for index, error in own.refused.items():
        items[index].result.refuse(error)
        outcome.refused[id(items[index])] = error
    outcome.hooks_wrote |= own.hooks_wrote


def _refuse_unknown(item: BulkItem) -> bool:
    message = say("There is no entry {item}, or you may not see it.", item=item.id)
    item.result.refuse(Entry.DoesNotExist(message))
    return False

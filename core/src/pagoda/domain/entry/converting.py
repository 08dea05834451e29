"""Values of an attribute that gets another type, converted with it: all of them, or none.

They become new versions; those before keep the type that they were made with (`former_type`). The entity's
row is locked against new entries, each entry against writes: one that read the former type meanwhile is
refused as a clash when it stores its version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.effects import ValueEffect, refuse_faults
from pagoda.domain.entry.lookups import Lookups, level_on
from pagoda.domain.entry.merging import merge
from pagoda.domain.entry.models import AttributeValue, Entry
from pagoda.domain.entry.named_references import NamedTargets
from pagoda.domain.entry.reading import from_history
from pagoda.domain.entry.storing import Current, links_in, to_current, values_in
from pagoda.domain.entry.versions import NewValues, is_confined, replace_versions
from pagoda.domain.user.models import Level
from pagoda.domain.user.permissions import Viewer, person
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.converting import convert
from pagoda_plugin_sdk.rules.faults import fault_key
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.scalar_types import ValueFault
from pagoda_plugin_sdk.rules.state import NOTHING, Definition, Link, LinkTarget, Value

_BATCH_SIZE: Final = 1_000

type Progress = Callable[[int, float], None]  # entries done, and which part of all that is


class EntryRow(NamedTuple):
    """What is asked of an entry to say what becomes of its value."""

    pk: int
    name: str
    level: int  # of the viewer
    current: Current | None

    @property
    def is_seen(self) -> bool:
        """Whether the viewer may read it."""
        return self.level >= Level.READABLE


def lock_for_conversion(entity: Entity) -> None:
    """Keep entries from being made until the types of the entity's attributes are changed.

    Raises:
        ValidationError: the database shows this process some rows only.
    """
    if is_confined():
        message = say(
            "The worker of a plugin sees some values only; have the API change the type of an attribute."
        )
        raise ValidationError({"attrs": ValidationError(message, code="confined")})
    Entity.objects.select_for_update().get(pk=entity.pk)


def refuse_many(entity: Entity, name: str) -> None:
    """Refuse to convert the values of more entries than one request should.

    Raises:
        ValidationError: keyed by the attribute; it names the job that does it.
    """
    limit = settings.PAGODA.domain_max_converted
    if Entry.objects.filter(schema=entity)[: limit + 1].count() > limit:
        message = say(
            "The entity has more than {limit:,} entries, whose values one request does not "
            "convert; send the change to /api/v2/entities/{entity}/convert/, which has a job do "
            "it, or ask the operator to raise DOMAIN_MAX_CONVERTED.",
            limit=limit,
            entity=entity.pk,
        )
        raise ValidationError({fault_key(name): ValidationError(message, code="too_many")})


def convert_values(
    entity: Entity, user: Viewer | None, effects: Sequence[ValueEffect], progress: Progress | None = None
) -> None:
    """Convert the values of attributes whose new types are stored already, and count them in `effects`.

    Raises:
        ValidationError: some can't be; the caller's transaction is to be undone.
    """
    total = Entry.objects.filter(schema=entity).count() * len(effects) if progress else 0
    done = 0
    for effect in effects:
        for ids in entry_batches(entity.pk):
            list(
                Entry.objects.filter(pk__in=ids)
                .order_by("pk")
                .select_for_update(no_key=True)
                .values_list("pk")
            )
            keep_type(effect.before, ids)
            changed = judge_conversion(effect, read_rows(ids, user), user)
            if not effect.refused and not effect.is_hidden_refused:
                _store(effect.after, changed, user)
            done += len(ids)
            if progress is not None:
                progress(done, done / total if total else 1.0)
    refuse_faults(list(effects))


def entry_batches(entity_id: int) -> Iterator[list[int]]:
    """Yield the ids of all entries of an entity, the deleted ones too, in order."""
    rows, last = Entry.objects.filter(schema=entity_id).order_by("pk"), 0
    while ids := list(rows.filter(pk__gt=last).values_list("pk", flat=True)[:_BATCH_SIZE]):
        yield ids
        last = ids[-1]


def read_rows(ids: Iterable[int], user: Viewer | None) -> list[EntryRow]:
    """Return the rows of entries, with the level that `user` has on each."""
    rows = Entry.objects.filter(pk__in=ids).annotate(row_level=level_on(user, "entry", "schema__"))
    return [
        EntryRow(*row) for row in rows.order_by("pk").values_list("pk", "name", "row_level", "current_values")
    ]


def keep_type(before: Definition, ids: Sequence[int]) -> None:
    """Have the versions of an attribute's values say which type they are of, before it gets another."""
    versions = AttributeValue.objects.filter(
        parent_entry__in=ids, parent_attr__schema=before.id, former_type__isnull=True
    )
    versions.update(former_type=before.type)


def values_of(definition: Definition, rows: Sequence[EntryRow], user: Viewer | None) -> dict[int, Value]:
    """Return the values that are set of an attribute, by entry, with what references point to."""
    unread = [row.pk for row in rows if row.current is None]
    history = from_history(unread) if unread else {}
    current = {row.pk: history[row.pk] if row.current is None else row.current for row in rows}
    lookups = Lookups(user)
    lookups.look_up({link for each in current.values() for link in links_in((definition,), each)})
    found = {
        pk: values_in((definition,), each, lookups.found).get(definition.id, NOTHING)
        for pk, each in current.items()
    }
    return {pk: value for pk, value in found.items() if value.elements}


def judge_conversion(effect: ValueEffect, rows: Sequence[EntryRow], user: Viewer | None) -> dict[int, Value]:
    """Return what the values of entries become, by entry, and note it; those that can't be are left out."""
    values = values_of(effect.before, rows, user)
    find = FindByName(effect.after, user)
    find.look_up(values.values())
    changed: dict[int, Value] = {}
    for row in rows:
        if row.pk not in values:
            continue
        value, fault = values[row.pk], ""
        try:
            changed[row.pk] = convert(value, effect.before.type, effect.after, find)
        except ValueFault as found:
            fault = str(found)
        if row.is_seen:
            effect.note((row.pk, row.name), value, changed.get(row.pk), fault)
        elif fault:
            effect.is_hidden_refused = True
    return changed


class FindByName:
    """What texts mean to an attribute that gets references of them, for somebody; None: the host."""

    def __init__(self, after: Definition, viewer: Viewer | None) -> None:
        self._after = after
        self._targets = NamedTargets(viewer)
        links = EntityAttr.referral.through.objects
        self._is_sure = (
            not after.type & AttrType.OBJECT or links.filter(entityattr=after.id).exists()
        )  # whether a name alone can tell what it means

    def look_up(self, values: Iterable[Value]) -> None:
        """Get to know what the texts in values mean."""
        if self._after.type.is_reference and self._is_sure:
            texts = {each for value in values for each in value.elements if isinstance(each, str)}
            self._targets.look_up((self._after,), [{self._after.id: text} for text in texts])

    def __call__(self, definition: Definition, name: str) -> Link:
        """Return the reference.

        Raises:
            ValueFault: the name means nothing, or several things.
        """
        if not self._is_sure:
            raise ValueFault(
                say("a name tells an entry where 'referral' says of which entities; send it, too")
            )
        pk = self._targets.id_of(definition, (name, None))
        return Link(target_id=pk, target=LinkTarget(id=pk, name=name))


def _store(after: Definition, changed: Mapping[int, Value], user: Viewer | None) -> None:
    if not changed:
        return
    current = {pk: to_current(after.type, value) for pk, value in changed.items()}
    versions = [
        NewValues(Entry(pk=pk), (after,), {after.id: value}, {str(after.id): current[pk]})
        for pk, value in changed.items()
    ]
    replace_versions(versions, person(user))
    merge(after.id, current, timezone.now() if after.is_open else None)

"""How values follow a change of their entity's attributes: converted with it, or looked at beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from django.conf import settings

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.converting import (
    EntryRow,
    Progress,
    convert_values,
    entry_batches,
    judge_conversion,
    keep_type,
    lock_for_conversion,
    read_rows,
    refuse_many,
    values_of,
)
from pagoda.domain.entry.effects import ChangeKind, ValueEffect
from pagoda.domain.entry.reading import definition_of
from pagoda.domain.user.permissions import Viewer
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.specs import AttrSpec
from pagoda_plugin_sdk.rules.state import NOTHING, Definition, Value


class Following:
    """What becomes of values in one change of an entity's attributes."""

    def __init__(
        self, *, is_bounded: bool = True, progress: Progress | None = None, is_preview: bool = False
    ) -> None:
        """Convert those of DOMAIN_MAX_CONVERTED entries at most, if it `is_bounded`."""
        self.effects: list[ValueEffect] = []
        self.is_whole = True  # whether a preview has looked at all entries
        self._is_bounded = is_bounded
        self._progress = progress
        self._is_preview = is_preview
        self._before: list[tuple[EntityAttr, Definition, AttrSpec]] = []

    def start(self, entity: Entity, existing: Mapping[int, EntityAttr], specs: Sequence[AttrSpec]) -> None:
        """Note what attributes are, before they are stored as the specs say; lock what has to stand still.

        Raises:
            ValidationError: types change, and there are more entries than one request converts.
        """
        self._before = [
            (existing[spec.id], definition_of(existing[spec.id]), spec)
            for spec in specs
            if spec.id is not None
        ]
        retyped = [spec.name for _, _, spec in self._before if _is_retyped(spec)]
        if retyped and not self._is_preview:
            lock_for_conversion(entity)
            if self._is_bounded:
                refuse_many(entity, retyped[0])

    def end(self, entity: Entity, user: Viewer | None) -> None:
        """Have the values follow, or look what would become of them.

        Raises:
            ValidationError: some can't; what was stored is to be undone.
        """
        of_all = [
            ValueEffect(before=before, after=definition_of(attr), change=change)
            for attr, before, spec in self._before
            for change in _changes(before, attr, spec)
        ]
        self.effects = [each for each in of_all if self._is_preview or each.change == "type"]
        if self._is_preview:
            self._look(entity, user)
        elif self.effects:
            convert_values(entity, user, self.effects, self._progress)

    def _look(self, entity: Entity, user: Viewer | None) -> None:
        left = settings.PAGODA.domain_max_converted
        for ids in entry_batches(entity.pk) if self.effects else ():
            rows = read_rows(ids[: max(left, 0)], user)
            self.is_whole = left >= len(ids)
            left -= len(ids)
            for effect in self.effects:
                if effect.change == "type" and any(row.current is None for row in rows):
                    keep_type(effect.before, ids)  # as the history of these is read
                _judge(effect, rows, user)
            if not self.is_whole:
                break


def _is_retyped(spec: AttrSpec) -> bool:
    return not spec.is_deleted and "type" in spec.fields


def _changes(before: Definition, attr: EntityAttr, spec: AttrSpec) -> Iterator[ChangeKind]:
    """Yield what of a change values have to do with."""
    if spec.is_deleted:
        yield "removed"
        return
    if _is_retyped(spec):
        yield "type"
    elif set(before.choices) - set(attr.choices):
        yield "choices"
    if spec.referral and not _is_retyped(spec):
        yield "referral"
    if spec.fields.get("is_mandatory"):
        yield "is_mandatory"


def _judge(effect: ValueEffect, rows: Sequence[EntryRow], user: Viewer | None) -> None:
    if effect.change == "type":
        judge_conversion(effect, rows, user)
        return
    values = values_of(effect.before, rows, user)
    allowed = _allowed(effect.before) if effect.change == "referral" else set()
    for row in rows:
        value = values.get(row.pk, NOTHING)
        if row.is_seen and (effect.change == "is_mandatory") is value.is_blank:
            becomes = None if effect.change == "removed" else value
            effect.note((row.pk, row.name), value, becomes, _fault(effect, value, allowed))


def _fault(effect: ValueEffect, value: Value, allowed: set[int]) -> str:
    """Return what is wrong with a value by the new rules, though it stays."""
    match effect.change:
        case "is_mandatory":
            return say("it has no value, and needs one when somebody sets it")
        case "choices":
            gone = [each for each in value.elements if each not in effect.after.choices]
            return say("{gone} is no choice any more", gone=", ".join(map(repr, gone))) if gone else ""
        case "referral":
            targets = [link.target for link in value.links if link.target and link.target.is_visible]
            others = [each.name for each in targets if allowed and each.schema_id not in allowed]
            return say("{others} is of another entity", others=", ".join(map(repr, others))) if others else ""
        case _:
            return ""


def _allowed(definition: Definition) -> set[int]:
    """Return the ids of the entities that an attribute may point to; none: all."""
    links = EntityAttr.referral.through.objects.filter(entityattr=definition.id)
    return set(links.values_list("entity_id", flat=True))

"""Conditions as somebody may ask them: fields found under their rights, made into filters of the database.

An attribute that the user may not read is none, as is what it points to that they may not see.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from pagoda.domain.access.querysets import readable
from pagoda.domain.entity.models import EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.search.bounding import refuse_hopeless, require_values, without_values
from pagoda.domain.search.conditions import All, AnyOf, Condition, Not, Test, tests_in
from pagoda.domain.search.filters import (
    OWN_FIELDS,
    UNEQUAL,
    Made,
    finds,
    fitting,
    index_hint,
    negated,
    no_field,
    own_field,
    read_operand,
    value_fits,
    with_operator,
    wrong,
)
from pagoda.domain.search.targets import by_name_or_id, filled, pointing_to, seen_entries, targets_of
from pagoda.domain.search.values import (
    REFERENCE_OPERATORS,
    ValueKind,
    kind_of_values,
)
from pagoda.domain.user.permissions import Viewer
from pagoda_plugin_sdk.exceptions import COMPARED_NAMES, near_misses
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.scalar_types import ValueFault
from pagoda_plugin_sdk.rules.text import clean_name, spellings
from pagoda_plugin_sdk.washing import shown

ATTR: Final = "attr."
MAX_HOPS: Final = 2
MAX_ENTITIES: Final = 50  # that may have an attribute of one name


class Resolver:
    """Finds the fields that `user` may ask for, in entries of `entity_ids`; None: in all."""

    def __init__(self, user: Viewer | None, entity_ids: Collection[int] | None = None) -> None:
        self._user = user
        self._entity_ids = entity_ids
        self._known: dict[str, list[EntityAttr]] = {}

    def prepare(self, fields: Iterable[str]) -> None:
        """Look up the attributes that fields name, and whether entries hold their values, in one query."""
        given = {name for field in fields for name in _names_in(field) if clean_name(name) not in self._known}
        if not given:
            return
        attrs = readable(EntityAttr.objects.active(), self._user).filter(
            name__in=spellings(given), parent_entity__is_active=True
        )
        found: dict[str, list[EntityAttr]] = {clean_name(name): [] for name in given}
        is_ready = True
        for attr in attrs.select_related("parent_entity").order_by("pk").annotate(is_ready=~without_values()):
            found[clean_name(attr.name)].append(attr)
            is_ready = vars(attr)["is_ready"]
        if not is_ready:
            require_values()
        self._known |= found

    @property
    def entity_ids(self) -> Collection[int] | None:
        """The entities whose entries are searched; None: all."""
        return self._entity_ids

    def attributes(self, key: str, name: str, *, is_hop: bool = False) -> list[EntityAttr]:
        """Return the attributes of this name.

        Raises:
            ValidationError: keyed by `key`; there is none, or it is one of too many entities.
        """
        found = [
            attr
            for attr in self._known.get(clean_name(name), ())
            if is_hop or self._entity_ids is None or attr.parent_entity_id in self._entity_ids
        ]
        if not found:
            raise ValidationError({key: [self._unknown(name, is_hop=is_hop)]}, code="unknown")
        if len(found) > MAX_ENTITIES:
            fault = say(
                "More than {max_entities} entities have an attribute {name}; say which (`entity`).",
                max_entities=MAX_ENTITIES,
                name=shown(name),
            )
            raise ValidationError({key: [fault]}, code="too_many")
        return found

    def has(self, name: str) -> bool:
        """Return whether any entity has an attribute of this name that the user may read."""
        return bool(self._known.get(clean_name(name)))

    def _unknown(self, name: str, *, is_hop: bool) -> str:
        attrs = readable(EntityAttr.objects.active(), self._user).order_by("name")
        if not is_hop and self._entity_ids is not None:
            attrs = attrs.filter(parent_entity__in=self._entity_ids)
        names = attrs.values_list("name", flat=True).distinct()[:COMPARED_NAMES]
        return say("There is no attribute {name}.{hint}", name=shown(name), hint=near_misses(name, names))

    def condition(self, condition: Condition, rows: QuerySet[Entry], key: str = "where") -> Q:
        """Return what filters `rows` by a tree.

        Raises:
            ValidationError: keyed by the test; its field is unknown, its value is none of the field's type,
                or too many rows would have to be gone through.
        """
        self.prepare(test.field for test in tests_in(condition))
        made = self._make(condition, hops=0)
        slow = tuple(dict.fromkeys(made.slow))
        refuse_hopeless(
            _key_of(condition, key), rows if made.cheap is None else rows.filter(made.cheap), slow
        )
        return made.q

    def _make(self, condition: Condition, hops: int) -> Made:
        match condition:
            case Test():
                return self._test(condition, condition.field, hops)
            case Not(part):
                made = self._make(part, hops)
                return Made(negated(made.q), slow=made.slow or (UNEQUAL,))
            case All(parts):
                return _all([self._make(part, hops) for part in parts])
            case AnyOf(parts):
                return _any([self._make(part, hops) for part in parts])

    def _test(self, test: Test, field: str, hops: int) -> Made:
        if test.operator == "ne":
            equal = self._test(with_operator(test, "eq"), field, hops)
            if field in OWN_FIELDS:
                return Made(negated(equal.q), slow=(UNEQUAL,))
            attrs = self.attributes(test.key, self._first(field)[0], is_hop=hops > 0)
            entity_ids = [attr.parent_entity_id for attr in attrs]
            of_entities = Q(schema__in=entity_ids)
            return Made(of_entities & negated(equal.q), of_entities, (UNEQUAL,))
        if field in OWN_FIELDS:
            return own_field(test, field)
        if not field.startswith(ATTR):
            raise ValidationError({test.key: [no_field(field)]}, code="unknown")
        first, rest = self._first(field)
        attrs = self.attributes(test.key, first, is_hop=hops > 0)
        if rest is None:
            return _any([self._attr(test, attr) for attr in fitting(test, attrs)])
        return self._hop(test, first, attrs, rest, hops)

    def _first(self, field: str) -> tuple[str, str | None]:
        """Return the attribute that a field begins with, and the field of what it points to."""
        name, separator, rest = field.removeprefix(ATTR).partition(f".{ATTR}")
        if separator:
            return name, ATTR + rest
        target, dot, own = name.rpartition(".")
        if dot and own in OWN_FIELDS and not self.has(name):
            return target, own
        return name, None

    def _hop(self, test: Test, name: str, attrs: Sequence[EntityAttr], rest: str, hops: int) -> Made:
        if hops == MAX_HOPS:
            fault = say("It leads through more than {max_hops} references; ask in steps.", max_hops=MAX_HOPS)
            raise ValidationError({test.key: [fault]}, code="too_deep")
        pointing = [attr for attr in attrs if attr.attr_type & AttrType.OBJECT]
        if not pointing:
            fault = say("Attribute {name} points to no entry, so nothing comes behind it.", name=shown(name))
            raise ValidationError({test.key: [fault]}, code="no_reference")
        targets = seen_entries(self._user)
        inner = self._test(test, rest, hops + 1)
        candidates = targets if inner.cheap is None else targets.filter(inner.cheap)
        refuse_hopeless(test.key, candidates, inner.slow)
        found = pointing_to(pointing, targets.filter(inner.q))
        return Made(found, found)

    def _attr(self, test: Test, attr: EntityAttr) -> Made:
        of_entity = Q(schema=attr.parent_entity_id)
        kind = kind_of_values(attr.attr_type)
        if kind is None:
            found = of_entity & self._reference(test, attr)
            return Made(found, found if test.operator != "empty" else of_entity)
        value = read_operand(kind, test)
        operator, values = ("eq", value) if test.operator == "in" else (test.operator, [value])
        found = Q(pk__in=[])
        for each in values:
            found |= value_fits(attr, kind, operator, each)
        if finds(attr, test.operator):
            return Made(of_entity & found, of_entity & found)
        return Made(of_entity & found, of_entity, (index_hint(attr),))

    def _reference(self, test: Test, attr: EntityAttr) -> Q:
        if test.operator not in REFERENCE_OPERATORS:
            known = ", ".join(REFERENCE_OPERATORS)
            raise wrong(
                test, ValueFault(say("what points to something has the operators {known}", known=known))
            )
        if test.operator == "empty":
            is_filled = filled(attr, self._user)
            is_empty = read_operand(ValueKind.BOOLEAN, with_operator(test, "eq"))
            return negated(is_filled) if is_empty else is_filled
        targets = targets_of(attr.attr_type, self._user)
        return pointing_to([attr], targets.filter(by_name_or_id(test)))


def _names_in(field: str) -> Iterable[str]:
    if field.startswith(ATTR):
        for name in field.removeprefix(ATTR).split(f".{ATTR}"):
            yield name
            yield name.rpartition(".")[0] or name


def _all(made: Sequence[Made]) -> Made:
    q, cheap = Q(), None
    slow: tuple[str, ...] = ()
    for each in made:
        q &= each.q
        slow += each.slow
        if each.cheap is not None:
            cheap = each.cheap if cheap is None else cheap & each.cheap
    return Made(q, cheap, slow)


def _any(made: Sequence[Made]) -> Made:
    q, cheap = Q(pk__in=[]), Q(pk__in=[])
    slow: tuple[str, ...] = ()
    for each in made:
        q |= each.q
        cheap |= each.cheap if each.cheap is not None else Q()
        slow += each.slow
    return Made(q, None if any(each.cheap is None for each in made) else cheap, slow)


def _key_of(condition: Condition, key: str) -> str:
    tests = list(tests_in(condition))
    return tests[0].key if len(tests) == 1 else key

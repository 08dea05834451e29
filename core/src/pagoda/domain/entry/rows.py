"""The queries behind `pagoda.domain.entry.reading`: unions of several kinds of rows with the same columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    F,
    IntegerField,
    JSONField,
    Q,
    QuerySet,
    TextField,
    When,
)
from django.db.models import Value as Constant
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, Least

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import AttributeValue, Entry
from pagoda.domain.user.models import Level
from pagoda.domain.user.permissions import Kind, Viewer, level_of, may

type Rows = QuerySet[Any, tuple[Any, ...]]  # Any: rows come of three models, and hold a column of JSON


class UnionRow(NamedTuple):
    """A row of the union.

    A *definition* is an attribute of an entity, a *value* is what an entry has of it (one row for each
    reference), an *own* row holds the entry's own fields, an *entity* row the entity's.
    """

    definition: int | None  # own, entity: None
    entry: int | None  # definition, entity: None
    attribute: int | None  # definition: the entity; value: the id of the Attribute row
    data: Any  # definition: the default value; value: JSON (hence Any)
    choices: list[str] | None  # definition
    number: int | None  # definition: index; value: position of the reference, None when there is none
    level: int | None  # definition, own, entity: what the viewer may do with it
    text: str | None  # definition, own: the name; value: the reference's own name
    long_text: str | None  # value: the target's name; own: the note
    target: int | None  # definition: the type; value: the id of the entry, group or role
    schema: int | None  # value: the entity of the target entry
    schema_name: str | None
    flag: bool | None  # definition: is mandatory; value: the target is active; own, entity: is active
    is_visible: bool | None  # definition: by default; value: the viewer may read the target


_EMPTY: Final[dict[str, Combinable]] = {
    name: Cast(Constant(None), field)  # typed, as PostgreSQL takes two untyped nulls for text
    for name, field in {
        "definition": BigIntegerField(),
        "entry": BigIntegerField(),
        "attribute": BigIntegerField(),
        "data": JSONField(),
        "choices": JSONField(),
        "number": IntegerField(),
        "level": IntegerField(),
        "text": TextField(),
        "long_text": TextField(),
        "target": BigIntegerField(),
        "schema": BigIntegerField(),
        "schema_name": TextField(),
        "flag": BooleanField(),
        "is_visible": BooleanField(),
    }.items()
}


def definition_rows(entity_ids: Iterable[int], viewer: Viewer | None) -> Rows:
    """Return the attributes of the entities."""
    return _rows(
        EntityAttr.objects.active().filter(parent_entity__in=entity_ids),
        definition=F("pk"),
        attribute=F("parent_entity_id"),
        data=F("default_value"),
        choices=F("choices"),
        number=F("index"),
        level=_level(viewer, "attr", "parent_entity__"),
        text=F("name"),
        target=F("type"),
        flag=F("is_mandatory"),
        is_visible=Case(
            When(default_permission__gte=Level.READABLE, then=True),
            default=False,
            output_field=BooleanField(),
        ),
    )


def value_rows(entry_ids: Sequence[int], viewer: Viewer | None) -> Rows:
    """Return the latest values of the entries with what they point to."""
    latest = AttributeValue.objects.active().filter(
        parent_entry__in=entry_ids,
        is_latest=True,
        parent_attr__is_active=True,
        parent_attr__schema__is_active=True,
    )
    return _rows(
        latest,
        definition=F("parent_attr__schema_id"),
        entry=F("parent_entry_id"),
        attribute=F("parent_attr_id"),
        data=F("value"),
        number=F("references__ordinal"),
        text=F("references__name"),
        long_text=Coalesce("references__entry__name", "references__group__name", "references__role__name"),
        target=Coalesce("references__entry_id", "references__group_id", "references__role_id"),
        schema=F("references__entry__schema_id"),
        schema_name=F("references__entry__schema__name"),
        flag=Coalesce("references__entry__is_active", "references__role__is_active", Constant(value=True)),
        is_visible=_visibility(viewer),
    )


def own_rows(entry_id: int, viewer: Viewer | None) -> Rows:
    """Return the entry's own fields."""
    return _rows(
        Entry.objects.filter(pk=entry_id),
        entry=F("pk"),
        level=_level(viewer, "entry", "schema__"),
        text=F("name"),
        long_text=F("note"),
        flag=F("is_active"),
    )


def entity_rows(entity_id: int, viewer: Viewer | None) -> Rows:
    """Return the entity's own fields."""
    entities = Entity.objects.filter(pk=entity_id)
    return _rows(entities, level=level_of(viewer, "entity"), flag=F("is_active"))


def _rows(queryset: QuerySet[Any], **columns: Combinable) -> Rows:
    # The prefix keeps the columns apart from the models' fields.
    annotations = {f"row_{name}": columns.get(name, _EMPTY[name]) for name in UnionRow._fields}
    rows: Rows = queryset.order_by().annotate(**annotations).values_list(*annotations)
    return rows


def _level(viewer: Viewer | None, kind: Kind, to_entity: str) -> Combinable:
    return Least(level_of(viewer, kind), level_of(viewer, "entity", to_entity), output_field=IntegerField())


def _visibility(viewer: Viewer | None) -> Combinable:
    if viewer is None:
        return Constant(value=True)
    readable = may(viewer, Level.READABLE, "entry", "references__entry__") & may(
        viewer, Level.READABLE, "entity", "references__entry__schema__"
    )
    is_no_entry = Q(references__entry__isnull=True)  # groups and roles are no secret
    return Case(When(is_no_entry | readable, then=True), default=False, output_field=BooleanField())

"""Refusals: what a user may not do, said with what is needed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from django.core.exceptions import PermissionDenied
from django.db.models import FilteredRelation, Q, QuerySet

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entity.scalar_types import MAX_INTEGER
from pagoda.domain.entry.models import Entry
from pagoda.domain.text import name_fault
from pagoda.domain.user.models import Level
from pagoda.domain.user.permissions import Viewer, effective_level, level_of, viewer

_MAX_NAMED: Final = 500  # attributes in a condition; a database takes no more than some thousand parameters


def require(user: Viewer | None, obj: Entity | EntityAttr | Entry, level: int) -> None:
    """Refuse unless `user` has `level` on `obj`, in one query at most.

    Raises:
        PermissionDenied: names the object, the level needed and the level that `user` has.
    """
    has = effective_level(viewer(user), obj.permission_chain())
    if has < level:
        raise PermissionDenied(_refusal(user, _called(obj), level, has))


def require_write(
    user: Viewer | None, target: Entity | Entry, attributes: Collection[str | int] = ()
) -> None:
    """Refuse unless `user` may write to `target` and to its `attributes`, by name or id; one query at most.

    A target is an entity (to create an entry of it) or an entry. Unknown attributes are left to the service.

    Raises:
        PermissionDenied: names what is refused, the level needed and the level that `user` has.
    """
    if not attributes:
        require(user, target, Level.WRITABLE)
        return
    rows = _levels(viewer(user), target, attributes)
    has = min((min(of_target) for _, _, *of_target in rows), default=Level.NOTHING)
    if has < Level.WRITABLE:
        raise PermissionDenied(_refusal(user, _called(target), Level.WRITABLE, has))
    refused = {name: level for name, level, *_ in rows if name is not None and level < Level.WRITABLE}
    if refused:
        entity = target.schema if isinstance(target, Entry) else target
        listed = ", ".join(repr(name) for name in sorted(refused))
        called = f"attribute {listed} of entity {entity.name!r}"
        raise PermissionDenied(_refusal(user, called, Level.WRITABLE, min(refused.values())))


def _levels(
    user: Viewer, target: Entity | Entry, attributes: Collection[str | int]
) -> Sequence[tuple[str | None, int, int, int]]:
    """Return (attribute, its level, the target's level, its entity's level) for each of the `attributes`.

    Without any of them, the row has no attribute.
    """
    rows: QuerySet[Entry] | QuerySet[Entity]
    if isinstance(target, Entry):
        prefix = "schema__"
        rows = Entry.objects.filter(pk=target.pk).annotate(target_level=level_of(user, "entry"))
    else:
        prefix = ""
        rows = Entity.objects.filter(pk=target.pk).annotate(target_level=level_of(user, "entity"))
    names = [each for each in attributes if name_fault(each) is None]  # others no database takes
    ids = [each for each in attributes if isinstance(each, int) and 0 < each <= MAX_INTEGER]
    is_meant = Q(**{f"{prefix}attrs__is_active": True})
    if len(attributes) <= _MAX_NAMED:
        is_meant &= Q(**{f"{prefix}attrs__name__in": names}) | Q(**{f"{prefix}attrs__pk__in": ids})
    rows = rows.annotate(
        attr=FilteredRelation(f"{prefix}attrs", condition=is_meant),
        attr_level=level_of(user, "attr", "attr__"),
        entity_level=level_of(user, "entity", prefix),
    )
    found = rows.order_by().values_list(
        "attr__pk", "attr__name", "attr_level", "target_level", "entity_level"
    )
    meant = {*names, *ids}
    # A row without an attribute tells the levels of the target alone.
    return [(name if name in meant or pk in meant else None, *levels) for pk, name, *levels in found]


def _called(obj: Entity | EntityAttr | Entry) -> str:
    match obj:
        case Entry():
            return f"entry {obj.name!r} of entity {obj.schema.name!r}"
        case EntityAttr():
            return f"attribute {obj.name!r} of entity {obj.parent_entity.name!r}"
        case Entity():
            return f"entity {obj.name!r}"


def _refusal(user: Viewer | None, called: str, level: int, has: int) -> str:
    is_known = user is not None and user.is_authenticated
    who = f"user {user.get_username()!r}" if user is not None and is_known else "somebody not logged in"
    needed, having = Level(level).label, Level(has).label
    return (
        f"{needed.capitalize()} permission on {called} is needed; {who} has {having!r}. "
        "Ask for a role that grants it."
    )

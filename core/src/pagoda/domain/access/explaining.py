"""Why somebody has the level that they have on an entity, an attribute or an entry."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.contrib.auth.models import Group
from django.db.models import Q

from pagoda.domain.access.accounts import visible
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level, Role, RolePermission, User
from pagoda.domain.user.permissions import (
    Guarded,
    Viewer,
    effective_level,
    fixed_level,
    groups_of,
    roles_of,
)


def explain_level(user: User, thing: Entity | EntityAttr | Entry, asker: Viewer | None) -> dict[str, Any]:
    """Return the level of `user` on `thing` and what each step of its chain adds to that, in four queries.

    The lowest step decides, and of a step the highest of its default, its owner's level and its grants.
    Grants that `asker` may not see are left out. Any: JSON values.
    """
    chain = thing.permission_chain()
    on = Q()
    for each in chain:
        on |= Q(**{each.kind: each.id})
    granted = visible(RolePermission.objects.filter(on, role__in=roles_of(user)), asker)
    grants = list(granted.select_related("role").order_by("-level", "pk"))
    role_ids = {each.role_id for each in grants}
    own = set(Role.objects.filter(pk__in=role_ids, users=user).values_list("pk", flat=True))
    groups: dict[int, list[dict[str, Any]]] = defaultdict(list)
    holding = Group.objects.filter(pk__in=groups_of(user), roles__in=role_ids)
    for role_id, pk, name in holding.order_by("name").values_list("roles", "pk", "name"):
        groups[role_id].append({"id": pk, "name": name})
    shown = [
        (
            each,
            {
                "role": {"id": each.role_id, "name": each.role.name},
                "is_own": each.role_id in own,
                "groups": groups[each.role_id],
                "level": Level(each.level).label,
            },
        )
        for each in grants
    ]
    return {
        "level": Level(effective_level(user, chain)).label,
        "is_fixed": fixed_level(user) is not None,
        "steps": [
            {
                "kind": step.kind,
                "id": step.id,
                "default": Level(step.default).label,
                "is_owner": bool(step.owner_id and step.owner_id == user.pk),
                "grants": [grant for each, grant in shown if _is_on(each, step)],
            }
            for step in chain
        ],
    }


def _is_on(granted: RolePermission, step: Guarded) -> bool:
    return bool(getattr(granted, f"{step.kind}_id") == step.id)

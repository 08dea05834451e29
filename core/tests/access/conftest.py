from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level, Role, RolePermission, User


@dataclass
class World:
    """Two entities with entries, and a user with one role."""

    user: User
    role: Role
    host: Entity
    network: Entity
    lan: Entry
    web: Entry

    def grant(self, level: Level, **target: Any) -> None:
        RolePermission.objects.update_or_create(role=self.role, **target, defaults={"level": level})

    def close(self, *targets: Entity | EntityAttr | Entry, level: Level = Level.NOTHING) -> None:
        """Lower the default of each, in the row and on the object."""
        for target in targets:
            type(target)._base_manager.filter(pk=target.pk).update(default_permission=level)
            target.default_permission = level

    def attr(self, name: str) -> EntityAttr:
        return EntityAttr.objects.select_related("parent_entity").get(name=name)


@pytest.fixture
def world(db: None) -> World:
    user = User.objects.create_user("alice")
    role = Role.objects.create(name="admins")
    role.users.add(user)
    network = Entity.objects.create_entity(
        user=None, name="Network", default_permission=Level.FULL, attrs=[{"name": "cidr", "type": "string"}]
    )
    host = Entity.objects.create_entity(
        user=None,
        name="Host",
        default_permission=Level.FULL,
        attrs=[
            {"name": "address", "type": "string", "is_mandatory": True, "index": 1},
            {"name": "networks", "type": "array_object", "referral": [network], "index": 2},
            {"name": "uplink", "type": "named_object", "index": 3},
        ],
    )
    lan = Entry.objects.create_entry(user=None, schema=network, name="lan", attrs={"cidr": "10.0.0.0/8"})
    web = Entry.objects.create_entry(
        user=None,
        schema=host,
        name="web",
        attrs={"address": "192.0.2.1", "networks": [lan], "uplink": {"name": "eth0", "object": lan}},
    )
    return World(user=user, role=role, host=host, network=network, lan=lan, web=web)

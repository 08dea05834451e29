from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Any

import pytest

from pagoda import running
from pagoda.domain.acting import acting_as, acting_by
from pagoda.domain.authority import PluginAuthority
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level, Role, RolePermission, User
from pagoda.hooks.manager import manager
from pagoda_plugin_sdk.permissions import Permission
from tools.kept_rows import made_once


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
    return made_once(make_world)


def make_world() -> World:
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


PLUGIN = "stock"


def changed(row: Any, **fields: Any) -> Any:
    for name, value in fields.items():
        setattr(row, name, value)
    return row


def as_plugin[T](function: Callable[..., T], *args: Any, user: User | None = None) -> T:
    """Call `function` as the fences call a view of a plugin."""
    with acting_as(user):
        return manager().budget.run_within(inf, PLUGIN, function, *args)


@contextmanager
def authority(*permissions: str) -> Iterator[None]:
    code = running.innermost()
    assert code is not None, "only plugin code has authority"
    with acting_by(PluginAuthority(PLUGIN, frozenset(map(Permission.parse, permissions))), code):
        yield


def with_authority[T](function: Callable[..., T], *permissions: str, user: User | None = None) -> T:
    def act() -> T:
        with authority(*permissions):
            return function()

    return as_plugin(act, user=user)


@pytest.fixture
def hidden(world: World) -> World:
    """The networks, their entry and an attribute of hosts are hidden from alice."""
    world.close(world.network, world.attr("uplink"))
    return world


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root", password="Se-cret-1")

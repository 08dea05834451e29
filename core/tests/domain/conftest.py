from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission

from pagoda.domain import changes
from pagoda.domain.changes import Change
from pagoda.domain.entity.models import Entity
from pagoda.domain.user.models import Role, User

SIGNALS = {"changing": changes.changing, "validating": changes.validating, "changed": changes.changed}


@dataclass
class Receiver:
    """What a bridge would get; `on` makes it act."""

    calls: list[tuple[str, Change]] = field(default_factory=list)
    acts: dict[str, Callable[[Change], None]] = field(default_factory=dict)

    def on(self, signal: str, act: Callable[[Change], None]) -> None:
        self.acts[signal] = act

    def receive(self, signal: str, change: Change) -> None:
        self.calls.append((signal, change))
        if signal in self.acts:
            self.acts[signal](change)

    @property
    def told(self) -> list[tuple[str, str, str]]:
        return [(signal, change.subject, change.action) for signal, change in self.calls]

    def changes(self, signal: str) -> list[Change]:
        return [change for name, change in self.calls if name == signal]

    def changed(self) -> list[tuple[str, str]]:
        return [(change.action, str(change.instance)) for change in self.changes("changed")]

    def clear(self) -> None:
        self.calls.clear()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    connected = []
    for name, signal in SIGNALS.items():

        def receive(change: Change, _name: str = name, **_signal: Any) -> None:
            receiver.receive(_name, change)

        signal.connect(receive, weak=False)
        connected.append((signal, receive))
    yield receiver
    for signal, receive in connected:
        signal.disconnect(receive)


@pytest.fixture
def user(db: None) -> User:
    user = User.objects.create_user("alice")
    user.user_permissions.add(Permission.objects.get(codename="add_entity"))
    return user


@pytest.fixture
def group(user: User) -> Group:
    group = Group.objects.create(name="ops")
    user.groups.add(group)  # else it is not there for them
    return group


@pytest.fixture
def role(user: User) -> Role:
    role = Role.objects.create(name="admins")
    user.roles.add(role)
    return role


@pytest.fixture
def network(user: User) -> Entity:
    return Entity.objects.create_entity(user=user, name="Network", attrs=[{"name": "cidr", "type": "string"}])


@pytest.fixture
def host(user: User, network: Entity) -> Entity:
    """An entity with an attribute of each interesting kind."""
    return Entity.objects.create_entity(
        user=user,
        name="Host",
        attrs=[
            {"name": "address", "type": "string", "is_mandatory": True, "index": 1},
            {"name": "networks", "type": "array_object", "referral": [network], "index": 2},
            {"name": "uplink", "type": "named_object", "referral": ["Host"], "index": 3},
            {"name": "owner", "type": "group", "index": 4},
            {"name": "admin", "type": "role", "index": 5},
            {
                "name": "kind",
                "type": "select",
                "choices": ["metal", "virtual"],
                "default_value": "metal",
                "index": 6,
            },
            {"name": "cores", "type": "number", "index": 7},
        ],
    )

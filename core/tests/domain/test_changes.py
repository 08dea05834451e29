"""The change scope: what is told, when, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from pagoda.domain import changes
from pagoda.domain.acting import acting_user
from pagoda.domain.changes import Action, Change, change_scope
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry import services
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import User

if TYPE_CHECKING:
    from core.tests.domain.conftest import Receiver

pytestmark = pytest.mark.django_db


def create_and_fail(user: User, entity: Entity, name: str) -> None:
    services.create_entry(user, entity, name=name)
    raise RuntimeError("over")


def test_each_service_call_is_told_once(receiver: Receiver, user: User, network: Entity) -> None:
    receiver.clear()
    entry = services.create_entry(user, network, name="lan", attrs={"cidr": "10.0.0.0/8"})
    services.update_entry(entry, user, name="wan", attrs={"cidr": "10.0.0.0/9"})
    services.delete_entry(entry, user)
    services.restore_entry(entry, user)
    assert receiver.told == [
        ("changing", "entry", "create"),
        ("validating", "entry", "create"),
        ("changed", "entry", "create"),
        ("changing", "entry", "update"),
        ("validating", "entry", "update"),
        ("changed", "entry", "update"),
        ("changing", "entry", "delete"),
        ("changed", "entry", "delete"),
        ("changing", "entry", "restore"),
        ("changed", "entry", "restore"),
    ]
    assert {change.user for _, change in receiver.calls} == {user}
    assert {change.entity_name for _, change in receiver.calls} == {"Network"}


def test_changed_sees_the_stored_values_inside_the_transaction(
    receiver: Receiver, user: User, network: Entity
) -> None:
    seen: list[object] = []

    def look(change: Change) -> None:
        entry = change.instance
        assert isinstance(entry, Entry)
        seen.append((Entry.objects.get(pk=entry.pk).get_attrs(), connection.in_atomic_block, acting_user()))

    receiver.on("changed", look)
    services.create_entry(user, network, name="lan", attrs={"cidr": "10.0.0.0/8"})
    assert seen == [({"cidr": "10.0.0.0/8"}, True, user)]


def test_nothing_is_told_when_nothing_changed(receiver: Receiver, user: User, network: Entity) -> None:
    entry = services.create_entry(user, network, name="lan", note="n", attrs={"cidr": "10.0.0.0/8"})
    receiver.clear()
    services.update_entry(entry, user, name="lan", note="n", attrs={"cidr": "10.0.0.0/8"})
    entry.set_attrs(user)
    entry.restore()
    assert receiver.told == []


def test_a_scope_tells_each_object_once_at_its_end(receiver: Receiver, user: User, network: Entity) -> None:
    receiver.clear()
    with change_scope():
        entry = services.create_entry(user, network, name="lan")
        entry.set_attrs(user, cidr="10.0.0.0/8")
        other = services.create_entry(user, network, name="wan")
        assert receiver.changes("changed") == []
    assert receiver.changed() == [("create", "lan"), ("create", "wan")]
    assert receiver.changes("changed")[0].data["attrs"] == [
        {"id": network.attrs.get().pk, "name": "cidr", "value": "10.0.0.0/8"}
    ]
    assert other.known_state is not None


def test_a_nested_scope_joins_the_outer_one(receiver: Receiver, user: User, network: Entity) -> None:
    receiver.clear()
    with change_scope():
        with change_scope():
            Entry.objects.create(schema=network, name="lan")
        assert receiver.changes("changed") == []
    assert receiver.changed() == [("create", "lan")]


def test_an_exception_in_the_scope_tells_and_stores_nothing(
    receiver: Receiver, user: User, network: Entity
) -> None:
    receiver.clear()
    with pytest.raises(RuntimeError, match="over"), change_scope():
        create_and_fail(user, network, "lan")
    assert receiver.changes("changed") == []
    assert not changes.in_scope()
    assert not Entry.objects.exists()


def test_a_failed_nested_scope_leaves_the_outer_one_intact(
    receiver: Receiver, user: User, network: Entity
) -> None:
    receiver.clear()
    with change_scope():
        services.create_entry(user, network, name="lan")
        with pytest.raises(ValidationError, match="lan"):
            services.create_entry(user, network, name="lan")
        with pytest.raises(RuntimeError, match="over"), change_scope():
            create_and_fail(user, network, "wan")
    assert receiver.changed() == [("create", "lan")]
    assert [entry.name for entry in Entry.objects.all()] == ["lan"]


def test_plain_saves_in_a_scope_only_mark(receiver: Receiver, network: Entity) -> None:
    entry = Entry.objects.create(schema=network, name="lan")
    receiver.clear()
    with change_scope():
        entry.name = "wan"
        entry.save()
        entry.note = "n"
        entry.save(update_fields=["note"])
        entry.save()
        assert receiver.told == []
    assert receiver.told == [("changed", "entry", "update")]
    assert receiver.changes("changed")[0].data == {
        "name": "wan",
        "schema": network,
        "note": "n",
        "default_permission": 8,
    }


def test_what_a_receiver_writes_is_a_change_of_its_own(
    receiver: Receiver, user: User, network: Entity
) -> None:
    def add_note(change: Change) -> None:
        assert not changes.in_scope()
        if change.instance is not None and change.action == "create":
            services.update_entry(Entry.objects.get(pk=change.instance.pk), None, note="seen")

    receiver.on("changed", add_note)
    receiver.clear()
    entry = services.create_entry(user, network, name="lan")
    assert receiver.changed() == [("create", "lan"), ("update", "lan")]
    assert receiver.changes("changed")[1].user == user
    assert entry.known_state is None, "the receiver wrote, so what the service knew is out of date"


def test_changing_may_replace_what_a_service_stores(receiver: Receiver, user: User, network: Entity) -> None:
    def shout(change: Change) -> None:
        attrs = [item | {"value": item["value"].upper()} for item in change.data.get("attrs", [])]
        change.data = change.data | {"name": change.data["name"].upper(), "attrs": attrs}

    receiver.on("changing", shout)
    entry = services.create_entry(user, network, name="lan", attrs={"cidr": "fe80::/10"})
    assert (entry.name, entry.get_attrs()) == ("LAN", {"cidr": "FE80::/10"})
    services.update_entry(entry, user, name="wan", attrs={"cidr": "fc00::/7"})
    entry.refresh_from_db()
    assert (entry.name, entry.get_attrs()) == ("WAN", {"cidr": "FC00::/7"})


def test_changing_may_mend_a_value_of_the_wrong_type(receiver: Receiver, user: User, network: Entity) -> None:
    def mend(change: Change) -> None:
        change.data["attrs"] = [{"name": "cidr", "value": "10.0.0.0/8"}]

    entry = services.create_entry(user, network, name="lan")
    receiver.on("changing", mend)
    services.update_entry(entry, user, attrs={"cidr": 10})
    assert entry.get_attrs() == {"cidr": "10.0.0.0/8"}


def test_an_update_that_a_receiver_undoes_is_no_change(
    receiver: Receiver, user: User, network: Entity
) -> None:
    entry = services.create_entry(user, network, name="lan")
    receiver.clear()
    receiver.on("changing", lambda change: change.data.update(name="lan"))
    services.update_entry(entry, user, name="wan")
    assert receiver.told == [("changing", "entry", "update")]
    assert Entry.objects.get().name == "lan"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"colour": "red"}, "An entry has no field 'colour'. There are 'attrs', 'name', 'note', 'schema'."),
        ({"attrs": [{"name": "cird", "value": ""}]}, "no attribute 'cird'. Did you mean 'cidr'?"),
        ({"attrs": "cidr"}, "expected {name: value} or a list of items, got 'cidr'."),
        (
            {"attrs": [{"value": 1}]},
            "expected {'id' or 'name', 'value'} for each attribute, got {'value': 1}.",
        ),
        ({"name": 7}, "The name of an entry of 'Network' expected text, got 7."),
        ({"schema": None}, "A before-hook moved the entry out of entity 'Network'."),
    ],
)
def test_nonsense_from_a_receiver_is_refused(
    receiver: Receiver, user: User, network: Entity, data: dict[str, object], message: str
) -> None:
    receiver.on("changing", lambda change: change.data.update(data))
    with pytest.raises(ValidationError) as caught:
        services.create_entry(user, network, name="lan")
    assert message in str(caught.value)
    assert not Entry.objects.exists()


@pytest.mark.parametrize("signal", ["changing", "validating"])
def test_a_refusal_leaves_nothing_stored(
    receiver: Receiver, user: User, network: Entity, signal: str
) -> None:
    entry = services.create_entry(user, network, name="lan", attrs={"cidr": "10.0.0.0/8"})

    def refuse(_change: Change) -> None:
        raise ValueError("no")

    receiver.on(signal, refuse)
    receiver.clear()
    with pytest.raises(ValueError, match="no"):
        services.create_entry(user, network, name="wan")
    with pytest.raises(ValueError, match="no"):
        services.update_entry(entry, user, name="wan", attrs={"cidr": "x"})
    stored = Entry.objects.get()
    assert (stored.name, stored.get_attrs()) == ("lan", {"cidr": "10.0.0.0/8"})
    assert receiver.changes("changed") == []


def test_validating_sees_the_complete_entry(receiver: Receiver, user: User, host: Entity) -> None:
    entry = services.create_entry(user, host, name="web", attrs={"address": "192.0.2.1"})
    receiver.clear()
    services.update_entry(entry, user, attrs={"cores": 4})
    (change,) = receiver.changes("validating")
    assert change.instance is entry
    assert change.data["name"] == "web"
    assert {item["name"]: item["value"] for item in change.data["attrs"]} == {
        "address": "192.0.2.1",
        "networks": [],
        "uplink": None,
        "owner": None,
        "admin": None,
        "kind": "metal",
        "cores": 4,
    }
    assert receiver.changes("changing")[0].data == {
        "attrs": [{"id": host.attrs.get(name="cores").pk, "name": "cores", "value": 4}]
    }


def test_marking_without_a_scope_is_an_error(network: Entity) -> None:
    change = Change(
        subject="entity", action="update", instance=network, user=None, data={}, entity_name=network.name
    )
    with pytest.raises(
        RuntimeError, match=r"update of entity <Entity: Network> was marked outside of a change"
    ):
        changes.mark(change)


def _net(actions: list[Action]) -> Action | None:
    """Return what the actions amount to, by what exists before and after."""
    before = {"create": None, "update": True, "delete": True, "restore": False}[actions[0]]
    after = next((action != "delete" for action in reversed(actions) if action != "update"), True)
    table: dict[tuple[bool | None, bool], Action | None] = {
        (None, True): "create",
        (None, False): None,
        (True, True): "update",
        (True, False): "delete",
        (False, True): "restore",
        (False, False): None,
    }
    return table[before, after]


@st.composite
def _possible_actions(draw: st.DrawFn) -> list[Action]:
    """Draw actions of one object in an order that can happen."""
    first: Action = draw(st.sampled_from(["create", "update", "delete", "restore"]))
    actions = [first]
    for _ in range(draw(st.integers(0, 6))):
        is_gone = _net(["create", *actions]) is None
        following: list[Action] = ["restore"] if is_gone else ["update", "delete"]
        actions.append(draw(st.sampled_from(following)))
    return actions


@given(actions=_possible_actions())
def test_changes_of_one_object_amount_to_what_differs_in_the_end(actions: list[Action]) -> None:
    marks = changes._Scope()
    entity = Entity(pk=1, name="Host")
    for action in actions:
        marks.mark(
            Change(subject="entity", action=action, instance=entity, user=None, data={}, entity_name="Host")
        )
    (mark,) = marks.marks.values()
    net = mark.net()
    assert (net.action if net else None) == _net(actions)

"""Many entries at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from pagoda.domain.changes import Change
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry import services
from pagoda.domain.entry.models import Attribute, Entry
from pagoda.domain.entry.reading import read_states
from pagoda.domain.user.models import Role, User
from pagoda_plugin_sdk.rules.faults import AttributeTypeError

if TYPE_CHECKING:
    from core.tests.domain.conftest import Receiver

pytestmark = pytest.mark.django_db


def test_each_row_has_its_hooks_and_all_are_stored(receiver: Receiver, user: User, network: Entity) -> None:
    receiver.clear()
    rows: list[dict[str, Any]] = [
        {"name": "lan", "attrs": {"cidr": "10.0.0.0/8"}},
        {"name": "wan", "note": "n", "attrs": [{"name": "cidr", "value": "0.0.0.0/0"}]},
        {"name": "dmz"},
    ]
    entries = services.create_entries(user, network, rows)
    assert [(entry.name, entry.note, entry.get_attrs()["cidr"]) for entry in entries] == [
        ("lan", "", "10.0.0.0/8"),
        ("wan", "n", "0.0.0.0/0"),
        ("dmz", "", None),
    ]
    assert [signal for signal, _ in receiver.calls] == ["changing"] * 3 + ["validating"] * 3 + ["changed"] * 3
    assert receiver.changed() == [("create", "lan"), ("create", "wan"), ("create", "dmz")]
    assert Attribute.objects.count() == 3
    assert {entry.created_user for entry in Entry.objects.all()} == {user}


def test_no_row_is_no_write(receiver: Receiver, user: User, network: Entity) -> None:
    receiver.clear()
    assert services.create_entries(user, network, []) == []
    assert receiver.told == []


def test_faults_of_all_rows_are_told_together_and_nothing_is_stored(
    receiver: Receiver, user: User, network: Entity
) -> None:
    services.create_entry(user, network, name="lan")
    receiver.clear()
    with pytest.raises(AttributeTypeError) as caught:
        services.create_entries(
            user, network, [{"name": "ok"}, {"name": "", "attrs": {"cidr": 3}}, {"note": 1}]
        )
    assert caught.value.message_dict == {
        "rows[1].name": [
            "The name of an entry of 'Network' is blank (''); give a name of 1 to 200 characters."
        ],
        "rows[1].cidr": ["Attribute 'cidr': expected text, got 3"],
        "rows[2].name": [
            "The name of an entry of 'Network' is blank (''); give a name of 1 to 200 characters."
        ],
        "rows[2].note": ["The note: expected text, got 1."],
    }
    with pytest.raises(ValidationError) as refused:
        services.create_entries(user, network, [{"name": "new"}, {"name": "lan"}, {"name": "new"}])
    taken = "Entity 'Network' already has an entry named {!r}; choose another name."
    assert refused.value.message_dict == {
        "rows[1].name": [taken.format("lan")],
        "rows[2].name": [taken.format("new")],
    }
    assert [entry.name for entry in Entry.objects.all()] == ["lan"]
    assert receiver.changes("changed") == []


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        ("lan", {"rows[0]": ["expected {'name', 'note', 'attrs'}, got 'lan'."]}),
        (
            {"name": "a", "nam": 1},
            {
                "rows[0].nam": [
                    "An entry has no field 'nam'. Did you mean 'name'? There are 'attrs', 'name', 'note'."
                ]
            },
        ),
        (
            {"name": "a", "attrs": {"cird": 1}},
            {
                "rows[0].cird": [
                    "Entity 'Network' has no attribute 'cird'. Did you mean 'cidr'? There are 'cidr'."
                ]
            },
        ),
    ],
)
def test_a_malformed_row_is_refused(
    user: User, network: Entity, row: Any, messages: dict[str, list[str]]
) -> None:
    with pytest.raises(ValidationError) as caught:
        services.create_entries(user, network, [row])
    assert caught.value.message_dict == messages


def test_one_refused_row_refuses_all(receiver: Receiver, user: User, network: Entity) -> None:
    def refuse(change: Change) -> None:
        if change.data["name"] == "b":
            raise ValueError("no b")

    receiver.on("validating", refuse)
    with pytest.raises(ValueError, match="no b"):
        services.create_entries(user, network, [{"name": "a"}, {"name": "b"}])
    assert not Entry.objects.exists()


def test_references_of_many_rows_are_looked_up_together(
    user: User, network: Entity, host: Entity, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    networks = services.create_entries(user, network, [{"name": f"net {number}"} for number in range(350)])
    groups = Group.objects.bulk_create(Group(name=f"group {number}") for number in range(350))
    roles = Role.objects.bulk_create(Role(name=f"role {number}") for number in range(350))
    rows = [
        {
            "name": f"host {number}",
            "attrs": {
                "address": "x",
                "networks": [networks[number]],
                "owner": groups[number],
                "admin": roles[number],
            },
        }
        for number in range(350)
    ]
    user.groups.add(*groups)
    user.roles.add(*roles)
    with django_assert_max_num_queries(60):
        hosts = services.create_entries(user, host, rows)
    states = read_states(hosts)
    links = [value.links for state in states.values() for value in state.values.values() if value.links]
    assert {link.target.name for of_value in links for link in of_value if link.target} == {
        f"{noun} {number}" for noun in ("net", "group", "role") for number in range(350)
    }


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL has an index of parts of names")
@pytest.mark.parametrize("count", [1, 100, 1_000])
def test_names_are_looked_up_by_no_index_of_their_parts(network: Entity, count: int) -> None:
    Entry.objects.bulk_create(Entry(schema=network, name=f"lan {number}") for number in range(3_000))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE entry_entry")
    names = [f"net {number}" for number in range(count)]
    plan = Entry.objects.active().filter(schema=network, name__in=names).order_by().explain()
    assert "part" not in plan, plan

"""How many queries reading and writing take: the same for few entries and for many, whatever their types."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.paginator import Paginator
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from pagoda.domain.access import attrinfo_after_write, attrinfo_for, readable
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry import services
from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.reading import with_values
from pagoda.domain.user.models import Level, Role, RolePermission, User
from tools.examples import examples

pytestmark = [pytest.mark.django_db, pytest.mark.bounds]


BOTH_SIZES = pytest.mark.parametrize("service_entity", [10, examples(1000, quick=150)], indirect=True)


@pytest.fixture
def service_entity(
    request: pytest.FixtureRequest, user: User, network: Entity, group: Group, role: Role
) -> Entity:
    """An entity of five attributes with many entries, readable and writable by role alone."""
    user.groups.add(group)
    role.groups.add(group)
    networks = services.create_entries(user, network, [{"name": f"net {number}"} for number in range(20)])
    entity = Entity.objects.create_entity(
        user=user,
        name="Service",
        attrs=[
            {"name": "address", "type": "string", "is_mandatory": True, "default_permission": Level.NOTHING},
            {"name": "networks", "type": "array_object", "referral": [network]},
            {"name": "uplink", "type": "named_object"},
            {"name": "owner", "type": "group"},
            {"name": "admins", "type": "array_role"},
        ],
    )
    services.create_entries(
        user,
        entity,
        [
            {
                "name": f"service {number}",
                "attrs": {
                    "address": f"192.0.2.{number % 250}",
                    "networks": [networks[number % 20], networks[(number + 1) % 20]],
                    "uplink": {"name": "eth0", "object": networks[number % 20]},
                    "owner": group,
                    "admins": [role],
                },
            }
            for number in range(getattr(request, "param", 10))
        ],
    )
    Entity.objects.update(default_permission=Level.NOTHING, owner=None)
    RolePermission.objects.create(role=role, entity=entity, level=Level.FULL)
    RolePermission.objects.create(role=role, entity=network, level=Level.READABLE)
    RolePermission.objects.create(role=role, attr=entity.attrs.get(name="address"), level=Level.WRITABLE)
    entity.refresh_from_db()
    return entity


def values(attrinfo: list[dict[str, Any]]) -> dict[str, Any]:
    return {info["name"]: info["value"] for info in attrinfo}


def entries_of(user: User, *, for_update: bool = False) -> Any:
    entries = readable(Entry.objects.active().select_related("schema"), user).order_by("pk")
    return with_values(entries, user, for_update=for_update)


@BOTH_SIZES
def test_reading_one_entry_takes_two_and_a_page_three(
    user: User, service_entity: Entity, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    attrinfo_for([Entry.objects.get(name="service 3")], user)  # the attributes of the entity are kept
    with django_assert_num_queries(2):
        entry = entries_of(user).get(name="service 3")
        shown = values(attrinfo_for([entry], user)[entry.pk])
    assert shown["address"] == "192.0.2.3"
    assert [target["name"] for target in shown["networks"]] == ["net 3", "net 4"]
    assert shown["uplink"]["object"]["schema"]["name"] == "Network"
    assert (shown["owner"]["name"], shown["admins"][0]["name"]) == ("ops", "admins")
    with django_assert_num_queries(3):
        page = list(Paginator(entries_of(user).filter(schema=service_entity), 100).page(1))
        attrinfo = attrinfo_for(page, user)
    assert len(attrinfo) == min(100, service_entity.entries.count())
    assert all(len(values(each)["networks"]) == 2 for each in attrinfo.values())


def test_a_page_of_many_entities_takes_three(
    user: User, service_entity: Entity, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    attrinfo_for([*Entry.objects.all()], user)
    with django_assert_num_queries(3):
        page = list(Paginator(entries_of(user).order_by("name"), 25).page(1))
        shown = attrinfo_for(page, user)
    assert {entry.schema.name for entry in page} == {"Network", "Service"}
    assert {len(attrinfo) for attrinfo in shown.values()} == {1, 5}


def test_what_else_there_is_of_the_entity_and_the_maker_is_loaded_once_for_a_page(
    user: User, service_entity: Entity, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        page = list(entries_of(user).filter(schema=service_entity))
        assert {(entry.entity_name, str(entry.created_user)) for entry in page} == {("Service", "alice")}
    with django_assert_num_queries(2):
        assert {entry.schema.note for entry in page} == {""}
        assert {entry.created_user.email for entry in page} == {""}


# Two of each are the transaction's own statements, one is the audit event. PostgreSQL writes attributes,
# versions and references by one statement; SQLite has none that writes several tables.


def queries(on_sqlite: int, on_postgresql: int) -> int:
    return on_postgresql if connection.vendor == "postgresql" else on_sqlite


@BOTH_SIZES
def test_creating_an_entry_takes_nine(
    user: User,
    service_entity: Entity,
    group: Group,
    role: Role,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    net = Entry.objects.get(name="net 1").pk
    attrs = {
        "address": "x",
        "networks": [net],
        "uplink": {"name": "e", "object": net},
        "owner": group.pk,
        "admins": [role.pk],
    }
    with django_assert_num_queries(queries(9, 7)):
        entry = services.create_entry(user, service_entity, name="new", attrs=attrs)
        shown = values(attrinfo_after_write(entry, user))
    assert shown["networks"][0]["name"] == "net 1"
    assert shown == values(attrinfo_for([entry], user)[entry.pk])


@BOTH_SIZES
def test_updating_attributes_takes_at_most_eight(
    user: User, service_entity: Entity, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    net = Entry.objects.get(name="net 1").pk
    updates: list[tuple[dict[str, Any], int]] = [
        ({"address": "new"}, queries(7, 6)),
        ({"networks": [net]}, queries(8, 6)),
        ({"networks": []}, queries(7, 6)),
        ({"owner": None, "admins": [], "address": "newer"}, queries(7, 6)),
    ]
    for attrs, expected in updates:
        entry = entries_of(user, for_update=True).get(name="service 3")
        with django_assert_num_queries(expected):
            services.update_entry(entry, user, attrs=attrs)
            shown = attrinfo_after_write(entry, user)
        assert shown == attrinfo_for([entry], user)[entry.pk]


def test_the_first_value_of_an_attribute_takes_one_more(
    user: User, service_entity: Entity, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    entry = services.create_entry(user, service_entity, name="new", attrs={"address": "x"})
    net = Entry.objects.get(name="net 1").pk
    with django_assert_num_queries(queries(10, 7)):
        services.update_entry(entry, user, attrs={"networks": [net]})
        shown = attrinfo_after_write(entry, user)
    assert shown == attrinfo_for([entry], user)[entry.pk]


def test_an_update_that_changes_nothing_takes_one_besides_the_transaction(
    user: User, service_entity: Entity, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    attrinfo_for([Entry.objects.get(name="service 3")], user)  # the attributes of the entity are kept
    entry = entries_of(user, for_update=True).get(name="service 3")
    with django_assert_num_queries(3):
        services.update_entry(entry, user, attrs={"address": "192.0.2.3"})
    assert attrinfo_for([entry], user)[entry.pk][0]["value"] == "192.0.2.3"


def test_deleting_an_entry_takes_six(
    user: User, service_entity: Entity, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    entry = entries_of(user).get(name="service 3")
    with django_assert_num_queries(6):
        services.delete_entry(entry, user)
    assert not entries_of(user).filter(name="service 3").exists()

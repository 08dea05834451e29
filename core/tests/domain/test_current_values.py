"""The current values beside the entry: equal to the history, whoever writes that, and never stale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries

from pagoda.domain import triggers
from pagoda.domain.access import attrinfo_for
from pagoda.domain.entity import services as entity_services
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry import services, verifying
from pagoda.domain.entry.models import Attribute, AttributeReference, AttributeValue, Entry
from pagoda.domain.user.models import Level, Role, RolePermission, User

pytestmark = pytest.mark.django_db


def current(entry: Entry) -> dict[str, Any] | None:
    """Return the values in the entry's row by the attribute's name, None without any."""
    (stored,) = Entry.objects.filter(pk=entry.pk).values_list("current_values", flat=True)
    if stored is None:
        return None
    names = dict(EntityAttr.objects.values_list("pk", "name"))
    return {names[int(key)]: value for key, value in stored.items() if value is not None}


@pytest.fixture
def service(network: Entity) -> Entity:
    return Entity.objects.create_entity(
        user=None,
        name="Service",
        attrs=[
            {"name": "address", "type": "string"},
            {"name": "ports", "type": "array_number"},
            {"name": "net", "type": "object"},
            {"name": "nets", "type": "array_object"},
            {"name": "uplink", "type": "named_object"},
            {"name": "team", "type": "group"},
            {"name": "admins", "type": "array_role"},
            {"name": "on", "type": "boolean"},
        ],
    )


@pytest.fixture
def lans(network: Entity) -> list[Entry]:
    return services.create_entries(None, network, [{"name": f"lan {number}"} for number in range(3)])


@pytest.fixture
def entry(service: Entity, lans: list[Entry], group: Group, role: Role) -> Entry:
    attrs = {
        "address": 'an "ü" 😀',
        "ports": [80, 4.5, 1.0],
        "net": lans[0],
        "nets": [lans[1].pk, lans[0].pk],
        "uplink": {"name": "eth0", "object": lans[2]},
        "team": group,
        "admins": [role],
        "on": False,
    }
    return services.create_entry(None, service, name="web", attrs=attrs)


def test_the_row_holds_what_the_history_says(
    entry: Entry, lans: list[Entry], group: Group, role: Role
) -> None:
    assert current(entry) == {
        "address": 'an "ü" 😀',
        "ports": [80, 4.5, 1.0],
        "net": lans[0].pk,
        "nets": [lans[1].pk, lans[0].pk],
        "uplink": {"name": "eth0", "id": lans[2].pk},
        "team": group.pk,
        "admins": [role.pk],
        "on": False,
    }
    services.update_entry(entry, None, attrs={"net": None, "ports": [], "uplink": {"name": "x"}, "on": True})
    stored = current(entry)
    assert stored is not None
    assert (stored["uplink"], stored["on"], "net" in stored, "ports" in stored) == (
        {"name": "x", "id": None},
        True,
        False,
        False,
    )
    assert verifying.verify() == verifying.ValuesCheck(entries=4)


def test_reading_takes_the_row_and_not_the_history(
    entry: Entry, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    before = entry.get_attrs()
    AttributeValue.objects.filter(parent_entry=entry).update(is_latest=False)  # as no service does it
    with django_assert_num_queries(2):
        assert entry.get_attrs() == before
    assert verifying.verify().wrong == (entry.pk,)


def test_a_row_without_them_is_read_and_written_by_the_history(entry: Entry) -> None:
    before = entry.get_attrs()
    Entry.objects.filter(pk=entry.pk).update(current_values=None)
    assert entry.get_attrs() == before
    entry.set_attrs(None, address="new")
    assert current(entry) is None
    assert entry.get_attrs() == before | {"address": "new"}
    assert verifying.fill() == 1
    assert (current(entry) or {})["address"] == "new"
    assert entry.get_attrs() == before | {"address": "new"}


def test_writes_of_one_moment_keep_each_others_values(entry: Entry) -> None:
    first, second = Entry.objects.get(pk=entry.pk), Entry.objects.get(pk=entry.pk)
    first.set_attrs(None, address="a")
    second.set_attrs(None, ports=[1])
    first.note = "a plain save of the whole object stores no older values"
    first.save()
    assert entry.get_attrs()["address"] == "a"
    assert entry.get_attrs()["ports"] == [1]
    assert verifying.verify().wrong == ()


def test_a_plain_new_entry_and_a_copy_have_the_values_of_their_history(entry: Entry) -> None:
    plain = Entry(schema=entry.schema, name="plain")
    plain.save()
    copied = Entry.objects.get(pk=entry.pk)
    copied.pk, copied.name, copied._state.adding = None, "copied", True
    copied.save()
    for made in (plain, copied):
        assert set(map(str, made.get_attrs().values())) <= {"None", "[]"}
        made.set_attrs(None, address="x")
        assert made.get_attrs()["address"] == "x"
    assert verifying.verify().wrong == ()


def write_as_the_former_release(entry: Entry) -> None:
    old = AttributeValue.objects.get(parent_entry=entry, parent_attr__name="address", is_latest=True)
    AttributeValue.objects.filter(pk=old.pk).update(is_latest=False)
    AttributeValue.objects.create(parent_attr=old.parent_attr, parent_entry=entry, value="old")


def switch_off_the_attribute(entry: Entry) -> None:
    Attribute.objects.get(parent_entry=entry, name="address").delete()


def switch_off_the_value(entry: Entry) -> None:
    AttributeValue.objects.get(parent_entry=entry, parent_attr__name="address", is_latest=True).delete()


def remove_for_good(entry: Entry) -> None:
    Entry.objects.get(name="lan 0").hard_delete()


def remove_a_group(entry: Entry) -> None:
    Group.objects.all().delete()


def remove_a_role(entry: Entry) -> None:
    Role.objects.all().delete()


def set_by_sql(entry: Entry) -> None:
    AttributeValue.objects.filter(parent_entry=entry, value="x").update(value="y")
    AttributeReference.objects.filter(value__parent_entry=entry).update(name="other")


@pytest.mark.parametrize(
    "write",
    [
        write_as_the_former_release,
        switch_off_the_attribute,
        switch_off_the_value,
        remove_for_good,
        remove_a_group,
        remove_a_role,
        set_by_sql,
    ],
)
def test_what_writes_the_history_by_itself_drops_them(entry: Entry, write: Callable[[Entry], None]) -> None:
    before = entry.get_attrs()
    write(entry)
    assert current(entry) is None
    after = entry.get_attrs()
    assert after != before
    assert verifying.fill() == 1
    assert entry.get_attrs() == after


def test_values_of_a_removed_attribute_stay(entry: Entry, service: Entity) -> None:
    attr = service.attrs.get(name="address")
    attr.delete()
    assert "address" not in entry.get_attrs()
    EntityAttr.objects.filter(pk=attr.pk).update(is_active=True)
    assert entry.get_attrs()["address"] == 'an "ü" 😀'


def rename_at_once(attr: EntityAttr) -> None:
    EntityAttr.objects.filter(pk=attr.pk).update(name="renamed")


def rename_by_the_service(attr: EntityAttr) -> None:
    entity_services.update_entity(attr.parent_entity, None, attrs=[{"id": attr.pk, "name": "renamed"}])


def rename_by_a_save(attr: EntityAttr) -> None:
    attr.name = "renamed"
    attr.save()


@pytest.mark.parametrize("change", [rename_at_once, rename_by_the_service, rename_by_a_save])
def test_a_change_of_the_attributes_is_seen_at_once(
    entry: Entry, service: Entity, change: Callable[[EntityAttr], object]
) -> None:
    whole = Entity.objects.get(pk=service.pk)
    assert "address" in entry.get_attrs()
    change(service.attrs.get(name="address"))
    assert "renamed" in entry.get_attrs()
    whole.note = "read before: stores no older version"
    whole.save()
    assert "renamed" in entry.get_attrs()


def test_attributes_of_a_transaction_that_was_undone_are_not_kept(entry: Entry, service: Entity) -> None:
    for name in ("first", "second"):
        with transaction.atomic():
            service.update_attrs(None, [{"name": name, "type": "string"}])
            assert name in entry.get_attrs()
            transaction.set_rollback(True)
        assert name not in entry.get_attrs()
    service.update_attrs(None, [{"name": "third", "type": "string"}])
    assert "third" in entry.get_attrs()
    assert not {"first", "second"} & entry.get_attrs().keys()


def test_rights_are_those_of_this_moment(entry: Entry, service: Entity, user: User, role: Role) -> None:
    Entity.objects.update(default_permission=Level.NOTHING, owner=None)
    EntityAttr.objects.update(default_permission=Level.NOTHING)
    role.users.add(user)
    granted = RolePermission.objects.create(role=role, entity=service, level=Level.READABLE)

    def shown() -> list[str]:
        return [each["name"] for each in attrinfo_for([entry], user)[entry.pk]]

    assert shown() == []
    attr = RolePermission.objects.create(role=role, attr=service.attrs.get(name="on"), level=Level.READABLE)
    assert shown() == ["on"]
    attr.delete()
    assert shown() == []
    EntityAttr.objects.filter(name="address").update(default_permission=Level.READABLE)
    assert shown() == ["address"]
    granted.delete()
    assert shown() == []


def test_verifying_names_what_is_wrong_and_mends_it(entry: Entry, lans: list[Entry]) -> None:
    before = entry.get_attrs()
    Entry.objects.filter(pk=entry.pk).update(current_values={})
    Entry.objects.filter(pk=lans[0].pk).update(current_values=None)
    found = verifying.ValuesCheck(entries=4, missing=1, wrong=(entry.pk,))
    assert verifying.verify() == found
    assert verifying.verify() == found, "looking changes nothing"
    assert verifying.verify(repair=True) == found
    assert verifying.verify() == verifying.ValuesCheck(entries=4)
    assert entry.get_attrs() == before


def test_all_triggers_are_there_when_everything_is_migrated() -> None:
    catalogue = {
        "postgresql": "SELECT tgname FROM pg_trigger",
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    }
    with connection.cursor() as cursor:
        cursor.execute(catalogue[connection.vendor])
        assert set(triggers.names()) <= {name for (name,) in cursor.fetchall()}


@pytest.mark.parametrize("number", [9.223372036873118e18, -1.2345678901234567e18, 1e19, 1.7e308, 2.0**53 + 2])
def test_a_number_is_the_same_however_the_database_writes_it(entry: Entry, number: float) -> None:
    default = {"name": "default", "type": "number", "default_value": number}
    entity_services.update_entity(entry.schema, None, attrs=[default])
    made = services.create_entry(None, entry.schema, name="made", attrs={"ports": [number]})
    for each in Entry.objects.filter(pk=made.pk):
        attrs = each.get_attrs()
        assert (attrs["default"], attrs["ports"]) == (number, [number])
        services.update_entry(each, None, attrs={"default": number, "ports": [number]})
    versions = AttributeValue.objects.filter(parent_entry=made)
    assert versions.count() == 2, "nothing changed"
    assert not services.verify().wrong

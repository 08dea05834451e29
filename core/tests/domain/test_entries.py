"""The services of entries: what they store, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from pytest_django import DjangoAssertNumQueries

from pagoda.domain.acting import acting_as
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry import services
from pagoda.domain.entry.models import Attribute, AttributeReference, AttributeValue, Entry
from pagoda.domain.user.models import Role, User
from pagoda_plugin_sdk.rules.faults import AttributeTypeError

if TYPE_CHECKING:
    from core.tests.domain.conftest import Receiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def lan(user: User, network: Entity) -> Entry:
    return services.create_entry(user, network, name="lan", attrs={"cidr": "10.0.0.0/8"})


@pytest.fixture
def web(user: User, host: Entity, lan: Entry, group: Group, role: Role) -> Entry:
    return services.create_entry(
        user,
        host,
        name="web",
        note="front",
        attrs={
            "address": "192.0.2.1",
            "networks": [lan],
            "uplink": {"name": "eth0", "object": None},
            "owner": group,
            "admin": {"id": role.pk},
        },
    )


def test_get_attrs_gives_the_values_as_python_objects(
    web: Entry, lan: Entry, group: Group, role: Role
) -> None:
    assert web.get_attrs() == {
        "address": "192.0.2.1",
        "networks": [{"id": lan.pk, "name": "lan", "schema": {"id": lan.schema_id, "name": "Network"}}],
        "uplink": {"name": "eth0", "object": None},
        "owner": {"id": group.pk, "name": "ops"},
        "admin": {"id": role.pk, "name": "admins"},
        "kind": "metal",
        "cores": None,
    }
    assert web.get_attrs(names=["kind", "cores"]) == {"kind": "metal", "cores": None}
    with pytest.raises(KeyError, match=r"Entity 'Host' has no attribute 'core'\. Did you mean 'cores'"):
        web.get_attrs(names=["core"])


def test_set_attrs_takes_what_get_attrs_gives(receiver: Receiver, user: User, web: Entry) -> None:
    receiver.clear()
    web.set_attrs(user, **web.get_attrs())
    assert receiver.told == []
    assert AttributeValue.objects.filter(parent_entry=web, is_latest=False).count() == 0


def test_the_fields_and_rows_of_an_entry(user: User, web: Entry, host: Entity) -> None:
    assert (web.name, web.note, web.schema, web.created_user, web.is_active) == (
        "web",
        "front",
        host,
        user,
        True,
    )
    assert (str(web), web.entity_name) == ("web", "Host")
    attribute = web.attrs.get(name="networks")
    assert attribute.is_array()
    assert not web.attrs.get(name="owner").is_array()
    assert attribute.values.get().is_latest
    assert Attribute.objects.filter(parent_entry=web).count() == host.attrs.count()
    assert set(Attribute.objects.values_list("created_user", flat=True)) == {user.pk}


def test_is_updated_compares_with_the_stored_value(web: Entry, lan: Entry) -> None:
    attribute = web.attrs.get(name="networks")
    assert not attribute.is_updated([lan.pk])
    assert attribute.is_updated([])
    with pytest.raises(AttributeTypeError, match="Attribute 'networks': expected a list, got 7"):
        attribute.is_updated(7)


def test_every_version_of_a_value_is_kept(user: User, web: Entry, lan: Entry) -> None:
    other = User.objects.create_superuser("bob")
    web.set_attrs(other, address="192.0.2.2", networks=[])
    web.set_attrs(user, address="192.0.2.3", networks=[lan.pk, lan.pk])
    address = web.attrs.get(name="address")
    versions = address.values.order_by("id").values_list("value", "is_latest", "created_user__username")
    assert list(versions) == [
        ("192.0.2.1", False, "alice"),
        ("192.0.2.2", False, "bob"),
        ("192.0.2.3", True, "alice"),
    ]
    networks = web.attrs.get(name="networks").values.order_by("id")
    assert [version.references.count() for version in networks] == [1, 0, 2]
    assert [version.is_latest for version in networks] == [False, False, True]


def test_only_the_attributes_that_differ_get_a_new_version(
    receiver: Receiver, user: User, web: Entry
) -> None:
    receiver.clear()
    services.update_entry(web, user, attrs={"address": "192.0.2.1", "cores": 4, "kind": "metal"})
    assert AttributeValue.objects.filter(parent_entry=web, is_latest=False).count() == 0
    (change,) = receiver.changes("changed")
    assert [(item["name"], item["value"]) for item in change.data["attrs"]] == [("cores", 4)]
    services.update_entry(web, user, attrs={"cores": 4.0})
    assert len(receiver.changes("changed")) == 1


def test_an_update_leaves_the_other_fields_of_the_object_alone(user: User, web: Entry) -> None:
    web.note = "not saved"
    services.update_entry(web, user, name="www")
    stored = Entry.objects.get(pk=web.pk)
    assert (stored.name, stored.note) == ("www", "front")
    assert stored.updated_time > stored.created_time


def test_a_value_is_cleared_with_none(user: User, web: Entry) -> None:
    web.set_attrs(user, owner=None, networks=None, uplink=None, kind=None)
    attrs = web.get_attrs()
    assert (attrs["owner"], attrs["networks"], attrs["uplink"], attrs["kind"]) == (None, [], None, None)


def test_attributes_may_be_given_as_items_by_id_or_name(user: User, web: Entry, host: Entity) -> None:
    cores = host.attrs.get(name="cores")
    items: list[dict[str, Any]] = [
        {"id": cores.pk, "value": 2},
        {"name": "kind", "value": "virtual"},
        {"name": "cores", "value": 3},
    ]
    services.update_entry(web, user, attrs=items)
    assert web.get_attrs(names=["cores", "kind"]) == {"cores": 3, "kind": "virtual"}


def test_an_entry_without_attribute_rows_gets_them_when_it_is_written(user: User, network: Entity) -> None:
    entry = Entry.objects.create(schema=network, name="wan")
    assert entry.get_attrs() == {"cidr": None}
    entry.set_attrs(user, cidr="0.0.0.0/0")
    assert entry.get_attrs() == {"cidr": "0.0.0.0/0"}


def test_the_acting_user_writes_where_none_is_given(user: User, network: Entity) -> None:
    with acting_as(user):
        entry = services.create_entry(None, network, name="lan")
    assert entry.created_user == user
    anonymous: Any = AnonymousUser()
    assert services.create_entry(anonymous, network, name="wan").created_user is None


def test_a_deleted_target_is_not_shown_until_it_is_restored(
    user: User, web: Entry, lan: Entry, role: Role
) -> None:
    lan.delete()
    Role.objects.update(is_active=False)
    attrs = web.get_attrs()
    assert (attrs["networks"], attrs["admin"]) == ([], None)
    lan.restore()
    assert [item["name"] for item in web.get_attrs()["networks"]] == ["lan"]


def test_a_target_that_is_gone_for_good_leaves_no_trace(
    user: User, web: Entry, lan: Entry, group: Group
) -> None:
    lan.hard_delete()
    group.delete()
    attrs = web.get_attrs()
    assert (attrs["networks"], attrs["owner"]) == ([], None)
    assert AttributeReference.objects.count() == 4
    web.set_attrs(user, cores=1)
    assert web.get_attrs()["cores"] == 1


def test_a_name_is_free_again_once_its_entry_is_deleted(user: User, network: Entity, lan: Entry) -> None:
    lan.delete()
    second = services.create_entry(user, network, name="lan")
    with pytest.raises(ValidationError) as caught:
        lan.restore()
    assert caught.value.message_dict == {
        "name": ["Entity 'Network' has another entry 'lan' by now; rename that one first."]
    }
    assert not Entry.objects.get(pk=lan.pk).is_active
    services.update_entry(second, user, name="lan 2")
    lan.restore()
    assert Entry.objects.get(pk=lan.pk).is_active


def test_an_entry_of_a_deleted_entity_is_not_restored(user: User, network: Entity, lan: Entry) -> None:
    lan.delete()
    network.delete()
    with pytest.raises(
        ValidationError, match="Entity 'Network' is deleted; restore it before its entry 'lan'"
    ):
        services.restore_entry(lan, user)


def test_a_deleted_entry_is_not_updated(user: User, lan: Entry) -> None:
    stale = Entry.objects.get(pk=lan.pk)
    lan.delete()
    with pytest.raises(ValidationError) as caught:
        services.update_entry(stale, user, name="wan")
    assert caught.value.message_dict == {
        NON_FIELD_ERRORS: ["Entry 'lan' of 'Network' is deleted; restore it first."]
    }


def test_all_faults_are_told_together(user: User, host: Entity, lan: Entry) -> None:
    with pytest.raises(AttributeTypeError) as caught:
        services.create_entry(
            user, host, name=" ", note="\x00", attrs={"cores": "4", "kind": "metl", "networks": [True]}
        )
    assert caught.value.message_dict == {
        "name": ["The name of an entry of 'Host' is blank (''); give a name of 1 to 200 characters."],
        "note": ["The note: contains a NUL character in '\\x00'; remove it."],
        "cores": ["Attribute 'cores': expected a number such as 3 or 3.5, got '4'"],
        "kind": [
            (
                "Attribute 'kind': 'metl' is not one of its choices. Did you mean 'metal'? "
                "The choices are 'metal', 'virtual'."
            )
        ],
        "networks": ["Attribute 'networks': element 0: expected the entry, its id or {'id': ...}, got True"],
    }
    assert not host.entries.exists()


GONE = "with the id 1000000000, or it is deleted; send an existing one"

REFUSED: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    (
        {"adress": "192.0.2.1"},
        {
            "adress": [
                (
                    "Entity 'Host' has no attribute 'adress'. Did you mean 'address'? "
                    "There are 'address', 'admin', 'cores', 'kind', 'networks', 'owner', 'uplink'."
                )
            ]
        },
    ),
    ({"address": ""}, {"address": ["Attribute 'address' is mandatory; give it a value."]}),
    ({"address": None}, {"address": ["Attribute 'address' is mandatory; give it a value."]}),
    (
        {"networks": [10**9]},
        {"networks": [f"Attribute 'networks': there is no entry {GONE}"]},
    ),
    (
        {"owner": 10**9},
        {"owner": [f"Attribute 'owner': there is no group {GONE}"]},
    ),
    (
        {"admin": 10**9},
        {"admin": [f"Attribute 'admin': there is no role {GONE}"]},
    ),
]


@pytest.mark.parametrize(("attrs", "messages"), REFUSED)
def test_a_wrong_attribute_is_refused(
    user: User, host: Entity, web: Entry, attrs: dict[str, Any], messages: dict[str, list[str]]
) -> None:
    before = web.get_attrs()
    with pytest.raises(ValidationError) as caught:
        services.create_entry(user, host, name="new", attrs={"address": "192.0.2.9"} | attrs)
    assert caught.value.message_dict == messages
    with pytest.raises(ValidationError) as caught:
        services.update_entry(web, user, name="new", attrs=attrs)
    assert caught.value.message_dict == messages
    assert host.entries.get().name == "web"
    assert web.get_attrs() == before


def test_a_mandatory_attribute_is_needed_at_once_but_not_in_every_update(user: User, host: Entity) -> None:
    with pytest.raises(ValidationError, match="Attribute 'address' is mandatory; give it a value"):
        services.create_entry(user, host, name="web")
    incomplete = Entry.objects.create(schema=host, name="web")
    incomplete.set_attrs(user, cores=4)
    assert incomplete.get_attrs()["cores"] == 4


def test_a_target_of_another_entity_is_refused(user: User, web: Entry, lan: Entry) -> None:
    with pytest.raises(AttributeTypeError) as caught:
        web.set_attrs(user, networks=[lan, web])
    assert caught.value.message_dict == {
        "networks": [
            (
                f"Attribute 'networks': entry 'web' (id {web.pk}) is of entity 'Host'; "
                "it may point to entries of 'Network'"
            )
        ]
    }
    assert len(web.get_attrs()["networks"]) == 1


def test_a_deleted_target_is_refused(user: User, web: Entry, lan: Entry) -> None:
    web.set_attrs(user, networks=[])
    lan.delete()
    with pytest.raises(AttributeTypeError, match=f"there is no entry with the id {lan.pk}, or it is deleted"):
        web.set_attrs(user, networks=[lan])


def test_an_attribute_without_targets_of_its_own_may_point_anywhere(
    user: User, lan: Entry, web: Entry
) -> None:
    entity = Entity.objects.create_entity(
        user=user, name="Any", attrs=[{"name": "to", "type": "array_object"}]
    )
    entry = services.create_entry(user, entity, name="x", attrs={"to": [lan, web]})
    assert [target["schema"]["name"] for target in entry.get_attrs()["to"]] == ["Network", "Host"]


def test_a_taken_name_is_refused(user: User, network: Entity, host: Entity, lan: Entry) -> None:
    wan = services.create_entry(user, network, name="wan")
    writes: list[Callable[[], Entry]] = [
        lambda: services.create_entry(user, network, name="lan"),
        lambda: services.update_entry(wan, user, name="lan"),
    ]
    for write in writes:
        with pytest.raises(ValidationError) as caught:
            write()
        assert caught.value.message_dict == {
            "name": ["Entity 'Network' already has an entry named 'lan'; choose another name."]
        }
    assert services.create_entry(user, host, name="lan", attrs={"address": "x"}).pk


def test_a_clash_with_a_write_of_the_same_moment_is_refused(
    receiver: Receiver, user: User, network: Entity
) -> None:
    def write_the_same(_change: object) -> None:
        Entry.objects.bulk_create([Entry(schema=network, name="lan")])

    receiver.on("validating", write_the_same)
    with pytest.raises(
        ValidationError, match="clashes with another one of this moment; look at what is stored"
    ):
        services.create_entry(user, network, name="lan")
    assert not Entry.objects.exists()


def test_attributes_of_many_entries_are_read_in_two_queries(
    web: Entry, lan: Entry, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):
        attrs = Entry.objects.read_attrs([web, lan])
    assert attrs == {web.pk: web.get_attrs(), lan.pk: {"cidr": "10.0.0.0/8"}}

"""The services of entities and their attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ValidationError

from pagoda.domain.changes import Change
from pagoda.domain.entity import services
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Attribute, Entry
from pagoda.domain.user.models import Level, User
from pagoda_plugin_sdk.rules.attr_types import AttrType

if TYPE_CHECKING:
    from core.tests.domain.conftest import Receiver

pytestmark = pytest.mark.django_db


def active(entity: Entity) -> list[str]:
    return [attr.name for attr in entity.attrs.filter(is_active=True)]


def test_an_entity_is_created_with_its_attributes_as_one_change(receiver: Receiver, user: User) -> None:
    entity = services.create_entity(
        user,
        name="Host",
        note="a machine",
        attrs=[
            {"name": "b", "type": "number", "index": 2, "default_value": 3},
            {"name": "a", "type": AttrType.STRING, "index": 1, "is_mandatory": True, "note": "n"},
            {"name": "c", "type": 513 + 1023, "index": 3, "choices": ["x", "y"], "default_permission": 2},
        ],
    )
    assert receiver.told == [("changing", "entity", "create"), ("changed", "entity", "create")]
    assert (entity.name, entity.note, entity.created_user) == ("Host", "a machine", user)
    assert [
        (
            attr.name,
            attr.attr_type.type_name,
            attr.is_mandatory,
            attr.default_value,
            attr.choices,
            attr.created_user,
        )
        for attr in entity.attrs.all()
    ] == [
        ("a", "string", True, None, [], user),
        ("b", "number", False, 3, [], user),
        ("c", "array_select", False, None, ["x", "y"], user),
    ]
    (change,) = receiver.changes("changed")
    assert change.instance == entity
    assert [(item["name"], item["type"]) for item in change.data["attrs"]] == [
        ("b", "number"),
        ("a", "string"),
        ("c", "array_select"),
    ]


def test_an_attribute_may_point_to_its_own_entity_by_name(user: User, network: Entity) -> None:
    entity = services.create_entity(
        user, name="Host", attrs=[{"name": "peers", "type": "array_object", "referral": ["Host", network.pk]}]
    )
    assert {target.name for target in entity.attrs.get().referral.all()} == {"Host", "Network"}


def test_an_update_stores_and_tells_only_what_differs(receiver: Receiver, user: User, host: Entity) -> None:
    address, cores = host.attrs.get(name="address"), host.attrs.get(name="cores")
    receiver.clear()
    services.update_entity(
        host,
        user,
        name="Host",
        note="machines",
        attrs=[
            {"id": address.pk, "name": "ip", "is_mandatory": True},
            {"id": cores.pk, "name": "cores", "type": "number"},
            {"name": "memory", "type": "number"},
        ],
    )
    before, after = receiver.calls
    assert before[1].data == {
        "note": "machines",
        "attrs": [
            {"id": address.pk, "name": "ip", "is_mandatory": True},
            {"name": "memory", "type": "number"},
        ],
    }
    memory = host.attrs.get(name="memory")
    assert after[1].data == {
        "note": "machines",
        "attrs": [
            {"id": address.pk, "name": "ip"},
            {"id": memory.pk, "name": "memory", "type": "number"},
        ],
    }
    assert host.note == Entity.objects.get(pk=host.pk).note == "machines"


def test_an_update_of_nothing_is_silent(
    receiver: Receiver, user: User, host: Entity, network: Entity
) -> None:
    networks = host.attrs.get(name="networks")
    receiver.clear()
    services.update_entity(
        host,
        user,
        name="Host",
        note="",
        default_permission=Level.READABLE,
        attrs=[{"id": networks.pk, "name": "networks", "type": "array_object", "referral": [network.pk]}],
    )
    assert receiver.told == []


def test_attributes_are_added_renamed_and_removed(receiver: Receiver, user: User, network: Entity) -> None:
    entry = Entry.objects.create_entry(user=user, schema=network, name="lan", attrs={"cidr": "10.0.0.0/8"})
    cidr = network.attrs.get()
    receiver.clear()
    services.update_entity(network, user, attrs=[{"name": "vlan", "type": "number", "index": -1}])
    services.update_entity(network, user, attrs=[{"id": cidr.pk, "name": "prefix"}])
    assert entry.get_attrs() == {"vlan": None, "prefix": "10.0.0.0/8"}
    assert Attribute.objects.get(schema=cidr).name == "prefix"
    services.remove_attribute(cidr, user)
    services.remove_attribute(cidr, user)
    assert not cidr.is_active
    assert active(network) == ["vlan"]
    assert entry.get_attrs() == {"vlan": None}
    services.update_entity(network, user, attrs=[{"name": "prefix", "type": "text"}])
    assert entry.get_attrs() == {"vlan": None, "prefix": None}
    assert [action for action, _ in receiver.changed()] == ["update"] * 4


def test_a_plugin_adds_and_changes_attributes_through_the_model(
    receiver: Receiver, user: User, network: Entity
) -> None:
    receiver.clear()
    network.update_attrs(
        user, [{"id": network.attrs.get().pk, "index": 9}, {"name": "vlan", "type": "number"}]
    )
    assert active(network) == ["vlan", "cidr"]
    assert receiver.changed() == [("update", "Network")]


def test_names_may_be_swapped_and_reused_in_one_update(user: User, host: Entity) -> None:
    address, cores = host.attrs.get(name="address"), host.attrs.get(name="cores")
    with pytest.raises(ValidationError, match="has an attribute 'cores' already; choose another name"):
        services.update_entity(host, user, attrs=[{"id": address.pk, "name": "cores"}])
    services.update_entity(
        host, user, attrs=[{"id": cores.pk, "is_deleted": True}, {"id": address.pk, "name": "cores"}]
    )
    assert "address" not in active(host)


def test_targets_and_choices_of_an_attribute_may_change(
    receiver: Receiver, user: User, host: Entity, network: Entity
) -> None:
    networks, kind = host.attrs.get(name="networks"), host.attrs.get(name="kind")
    receiver.clear()
    services.update_entity(
        host,
        user,
        attrs=[
            {"id": networks.pk, "referral": [network, "Host"]},
            {"id": kind.pk, "choices": ["metal", "cloud"]},
        ],
    )
    assert networks.is_referral_updated([network])
    assert not networks.is_referral_updated([network, host.pk])
    kind.refresh_from_db()
    assert kind.choices == ["metal", "cloud"]
    assert receiver.changed() == [("update", "Host")]


def test_an_entity_is_deleted_and_restored(receiver: Receiver, user: User, network: Entity) -> None:
    entry = Entry.objects.create_entry(user=user, schema=network, name="lan")
    with pytest.raises(ValidationError, match="Entity 'Network' has active entries; delete them first"):
        services.delete_entity(network, user)
    assert network.is_active
    entry.delete()
    receiver.clear()
    services.delete_entity(network, user)
    services.delete_entity(network, user)
    assert not Entity.objects.get().is_active
    services.restore_entity(network, user)
    network.restore()
    assert Entity.objects.get().is_active
    assert receiver.changed() == [("delete", "Network"), ("restore", "Network")]


def test_a_deleted_entity_is_neither_updated_nor_restored_over_another(user: User, network: Entity) -> None:
    stale = Entity.objects.get(pk=network.pk)
    network.delete()
    with pytest.raises(ValidationError, match="Entity 'Network' is deleted; restore it before changing it"):
        services.update_entity(network, user, note="x")
    services.create_entity(user, name="Network")
    with pytest.raises(ValidationError) as caught:
        services.restore_entity(network, user)
    assert caught.value.message_dict == {
        "name": ["The name 'Network' is taken by another entity; choose another name."]
    }
    with pytest.raises(ValidationError, match="is deleted; restore it before adding entries"):
        Entry.objects.create_entry(user=user, schema=stale, name="lan")


def test_a_receiver_may_replace_the_data(receiver: Receiver, user: User) -> None:
    def add(change: Change) -> None:
        attrs = [*change.data.get("attrs", []), {"name": f"extra {change.action}", "type": "text"}]
        change.data = change.data | {"attrs": attrs, "note": "seen"}

    receiver.on("changing", add)
    entity = services.create_entity(user, name="Host")
    services.update_entity(entity, user, name="Machine")
    assert active(entity) == ["extra create", "extra update"]
    assert (entity.name, entity.note) == ("Machine", "seen")


def test_an_update_that_a_receiver_undoes_is_no_change(
    receiver: Receiver, user: User, network: Entity
) -> None:
    receiver.clear()
    receiver.on("changing", lambda change: change.data.update(name="Network"))
    services.update_entity(network, user, name="Net")
    assert receiver.told == [("changing", "entity", "update")]
    assert Entity.objects.get().name == network.name == "Network"


def test_a_field_that_a_receiver_makes_up_is_refused(receiver: Receiver, user: User) -> None:
    receiver.on("changing", lambda change: change.data.update(nota="x"))
    with pytest.raises(ValidationError) as caught:
        services.create_entity(user, name="Host")
    assert caught.value.message_dict == {
        "nota": ["An entity has no field 'nota'. Did you mean 'note'? It has name, note, default_permission."]
    }


BAD_ENTITIES: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    ({"name": ""}, {"name": ["The name of an entity is blank (''); give a name of 1 to 200 characters."]}),
    (
        {"name": "x" * 201, "note": 3, "default_permission": 3},
        {
            "name": ["The name of an entity has 201 characters, at most 200 are allowed; shorten it."],
            "note": ["The note: expected text, got 3."],
            "default_permission": [
                "'default_permission' is one of 1 (nothing), 2 (readable), 4 (writable), 8 (full), got 3."
            ],
        },
    ),
    ({"name": "Network"}, {"name": ["The name 'Network' is taken by another entity; choose another name."]}),
]


@pytest.mark.parametrize(("given", "messages"), BAD_ENTITIES, ids=["blank", "several", "taken"])
def test_a_bad_entity_is_refused(
    user: User, network: Entity, given: dict[str, Any], messages: dict[str, list[str]]
) -> None:
    with pytest.raises(ValidationError) as caught:
        services.create_entity(user, **given)
    found = caught.value.message_dict
    assert {
        key: [text.replace(f"id {network.pk}", "id 1") for text in found[key]] for key in found
    } == messages
    assert Entity.objects.count() == 1
    with pytest.raises(ValidationError):
        services.update_entity(services.create_entity(user, name="Other"), user, **given)


def test_a_bad_attribute_leaves_no_entity_behind(user: User) -> None:
    for attrs in (
        [{"name": "a", "type": "object", "referral": ["Nowhere"]}],
        [{"name": "a", "type": "string"}] * 2,
    ):
        with pytest.raises(ValidationError, match="a"):
            services.create_entity(user, name="Host", attrs=attrs)
    assert not Entity.objects.exists()
    assert not EntityAttr.objects.exists()


def test_a_type_becomes_one_that_its_values_lead_to_alone(user: User, network: Entity) -> None:
    with pytest.raises(ValidationError) as caught:
        services.update_entity(network, user, attrs=[{"id": network.attrs.get().pk, "type": "named_object"}])
    says = "The type of 'cidr' is string, and no string becomes named_object"
    assert caught.value.messages == [f"{says}; remove it and add another attribute."]


def test_attributes_that_are_no_list_are_refused(user: User, network: Entity) -> None:
    with pytest.raises(ValidationError) as caught:
        services.update_entity(network, user, attrs={"name": "a"})  # type: ignore[arg-type]  # what a caller may send
    assert caught.value.message_dict == {
        "attrs": ["expected a list of {'name', 'type', ...}, got {'name': 'a'}."]
    }


def test_the_members_of_an_attribute_that_plugins_use(user: User, host: Entity, network: Entity) -> None:
    kind, networks = host.attrs.get(name="kind"), host.attrs.get(name="networks")
    assert kind.get_default_value() == "metal"
    assert networks.get_default_value() == []
    assert host.attrs.get(name="owner").get_default_value() is None
    assert not kind.is_updated("kind", False, False, 6, "metal")
    assert kind.is_updated("kind", True, False, 6, "metal")
    networks.referral_clear()
    assert networks.is_referral_updated([network.pk])
    for referral in (network, host.pk, "Network"):
        networks.add_referral(referral)
    assert {entity.name for entity in networks.referral.all()} == {"Network", "Host"}
    with pytest.raises(Entity.DoesNotExist):
        networks.add_referral("Nowhere")
    assert (str(host), str(kind)) == ("Host", "Host.kind")

"""Plain ORM writes, each told as one change."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core import serializers
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection

from pagoda.domain.acting import acting_as
from pagoda.domain.changes import Change
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Attribute, AttributeValue, Entry
from pagoda.domain.user.models import User
from pagoda_plugin_sdk.exceptions import HookRejected

if TYPE_CHECKING:
    from pathlib import Path

    from core.tests.domain.conftest import Receiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def lan(network: Entity, receiver: Receiver) -> Entry:
    entry = Entry.objects.create(schema=network, name="lan")
    receiver.clear()
    return entry


def test_a_plain_create_is_one_change(receiver: Receiver, user: User, network: Entity) -> None:
    receiver.clear()
    with acting_as(user):
        entry = Entry.objects.create(schema=network, name="lan")
    before, after = receiver.calls
    assert before == (
        "changing",
        Change(
            subject="entry",
            action="create",
            instance=None,
            user=user,
            data={"schema": network, "name": "lan", "note": "", "default_permission": 8},
            entity_name="Network",
        ),
    )
    assert (after[0], after[1].action, after[1].instance) == ("changed", "create", entry)
    assert entry.created_user == user


def test_a_plain_create_of_an_entity_is_one_change(receiver: Receiver, db: None) -> None:
    Entity.objects.create(name="Host")
    assert receiver.told == [("changing", "entity", "create"), ("changed", "entity", "create")]
    assert {change.entity_name for _, change in receiver.calls} == {"Host"}


def test_a_plain_save_is_one_update(receiver: Receiver, lan: Entry) -> None:
    lan.name = "wan"
    lan.save()
    assert receiver.told == [("changing", "entry", "update"), ("changed", "entry", "update")]
    assert all(change.instance is lan for _, change in receiver.calls)


def test_a_save_that_changes_nothing_is_silent(receiver: Receiver, lan: Entry) -> None:
    lan.save()
    Entry.objects.get().save(update_fields=["note"])
    assert receiver.told == []


def test_update_fields_limit_what_is_told_and_compared(receiver: Receiver, lan: Entry) -> None:
    lan.name, lan.note = "wan", "n"
    lan.save(update_fields=["note"])
    assert [change.data for _, change in receiver.calls] == [{"note": "n"}, {"note": "n"}]
    assert Entry.objects.get().name == "lan"
    receiver.clear()
    lan.is_active = False
    lan.save(update_fields=["note"])
    assert receiver.told == []


def test_an_instance_made_by_hand_updates_the_row_it_names(receiver: Receiver, lan: Entry) -> None:
    Entry(pk=lan.pk, schema=lan.schema, name="wan", created_time=lan.created_time).save()
    assert receiver.told == [("changing", "entry", "update"), ("changed", "entry", "update")]


def test_flipping_is_active_is_a_deletion_and_a_restoration(receiver: Receiver, lan: Entry) -> None:
    lan.is_active = False
    lan.save()
    lan.is_active = True
    lan.save(update_fields=["is_active"])
    assert receiver.told == [
        ("changing", "entry", "delete"),
        ("changed", "entry", "delete"),
        ("changing", "entry", "restore"),
        ("changed", "entry", "restore"),
    ]
    assert all(change.data == {} for _, change in receiver.calls)


def test_delete_and_restore_of_the_model_are_one_change_each(receiver: Receiver, lan: Entry) -> None:
    assert lan.delete() == (1, {"entry.Entry": 1})
    assert not Entry.objects.get().is_active
    assert lan.delete() == (0, {"entry.Entry": 0})
    lan.restore()
    assert Entry.objects.get().is_active
    assert receiver.changed() == [("delete", "lan"), ("restore", "lan")]


def test_a_hard_delete_is_told_once_and_not_after_a_soft_one(
    receiver: Receiver, network: Entity, lan: Entry
) -> None:
    pk = lan.pk
    lan.hard_delete()
    assert receiver.told == [("changing", "entry", "delete"), ("changed", "entry", "delete")]
    told = receiver.changes("changed")[0].instance
    assert told is not None
    assert told.pk == pk
    other = Entry.objects.create(schema=network, name="wan")
    stale = Entry.objects.get(pk=other.pk)
    other.delete()
    receiver.clear()
    stale.hard_delete()
    assert receiver.told == []
    assert not Entry.objects.exists()


def test_hard_deleting_an_entity_takes_its_deleted_entries_along(
    receiver: Receiver, network: Entity, lan: Entry
) -> None:
    lan.delete()
    receiver.clear()
    network.hard_delete()
    assert receiver.told == [("changing", "entity", "delete"), ("changed", "entity", "delete")]
    assert not Entry.objects.exists()


@pytest.mark.parametrize("way", ["delete", "hard_delete", "queryset", "flip"])
def test_an_entity_with_entries_can_not_be_deleted(
    receiver: Receiver, network: Entity, lan: Entry, way: str
) -> None:
    def delete() -> None:
        match way:
            case "queryset":
                Entity.objects.all().delete()
            case "flip":
                network.is_active = False
                network.save()
            case _:
                getattr(network, way)()

    with pytest.raises(ValidationError, match="Entity 'Network' has active entries; delete them first"):
        delete()
    assert Entity.objects.active().count() == 1
    assert receiver.told == []


def test_deleting_a_queryset_deletes_each_softly_with_its_hooks(
    receiver: Receiver, network: Entity, lan: Entry
) -> None:
    Entry.objects.create(schema=network, name="wan")
    Entry.objects.create(schema=network, name="old").delete()
    receiver.clear()
    assert Entry.objects.all().delete() == (2, {"entry.Entry": 2})
    assert receiver.changed() == [("delete", "lan"), ("delete", "wan")]
    assert Entry.objects.count() == 3
    assert not Entry.objects.active().exists()
    assert not hasattr(Entry.objects, "delete")


def test_deleting_a_queryset_is_all_or_nothing(receiver: Receiver, network: Entity, lan: Entry) -> None:
    Entity.objects.create(name="Aaa")
    with pytest.raises(ValidationError, match="Network"):
        Entity.objects.order_by("name").delete()
    assert Entity.objects.active().count() == 2


def test_a_refusal_stores_nothing(receiver: Receiver, network: Entity, lan: Entry) -> None:
    def refuse(_change: Change) -> None:
        raise HookRejected("no")

    receiver.on("changing", refuse)
    lan.name = "wan"
    for write in (lan.save, lan.delete, lan.hard_delete, Entry(schema=network, name="new").save):
        with pytest.raises(HookRejected, match="no"):
            write()
    assert [(entry.name, entry.is_active) for entry in Entry.objects.all()] == [("lan", True)]
    assert receiver.changes("changed") == []


def test_a_receiver_may_replace_the_data_of_a_plain_save(
    receiver: Receiver, network: Entity, lan: Entry
) -> None:
    receiver.on("changing", lambda change: change.data.update(name=change.data["name"].upper()))
    new = Entry.objects.create(schema=network, name="wan")
    lan.name = "dmz"
    lan.save()
    assert (new.name, lan.name) == ("WAN", "DMZ")
    assert {entry.name for entry in Entry.objects.all()} == {"WAN", "DMZ"}


def test_a_receiver_may_set_a_field_that_the_save_leaves_out(receiver: Receiver, lan: Entry) -> None:
    receiver.on("changing", lambda change: change.data.update(note="seen"))
    lan.name = "wan"
    lan.save(update_fields=["name"])
    stored = Entry.objects.get()
    assert (stored.name, stored.note, lan.note) == ("wan", "seen", "seen")
    assert receiver.changed() == [("update", "wan")]


def test_a_plain_save_that_a_receiver_undoes_is_no_change(receiver: Receiver, lan: Entry) -> None:
    receiver.on("changing", lambda change: change.data.update(name="lan"))
    lan.name = "wan"
    lan.save()
    assert receiver.told == [("changing", "entry", "update")]
    assert Entry.objects.get().name == "lan"


def test_a_receiver_that_sets_what_is_no_field_is_refused(receiver: Receiver, lan: Entry) -> None:
    receiver.on("changing", lambda change: change.data.update(nota="x"))
    lan.name = "wan"
    with pytest.raises(ValidationError) as caught:
        lan.save()
    (message,) = caught.value.message_dict["nota"]
    assert message == (
        "A before-hook set 'nota' on a plain save of wan, which has the fields default_permission, name, "
        "note, schema. Did you mean 'note'? Attribute values are set through set_attrs()."
    )


def test_an_entity_that_is_renamed_is_told_under_its_stored_name_first(
    receiver: Receiver, network: Entity
) -> None:
    receiver.clear()
    network.name = "Net"
    network.save()
    assert [change.entity_name for _, change in receiver.calls] == ["Network", "Net"]


def test_fixtures_are_silent(receiver: Receiver, lan: Entry, tmp_path: Path) -> None:
    fixture = tmp_path / "entries.json"
    fixture.write_text(serializers.serialize("json", [lan]).replace('"lan"', '"wan"'))
    call_command("loaddata", fixture, stdout=StringIO())
    assert Entry.objects.get().name == "wan"
    assert receiver.told == []


def test_a_save_that_the_database_refuses_leaves_no_trace(
    receiver: Receiver, network: Entity, lan: Entry
) -> None:
    from django.db import transaction

    other = Entry.objects.create(schema=network, name="wan")
    receiver.clear()
    other.name = "lan"
    with pytest.raises(IntegrityError), transaction.atomic():
        other.save()
    assert receiver.changes("changed") == []
    other.name = "dmz"
    other.save()
    assert receiver.changed() == [("update", "dmz")]


@pytest.mark.django_db(transaction=True)
def test_a_plain_save_and_its_change_are_one_transaction(receiver: Receiver, db: None) -> None:
    seen: list[bool] = []
    receiver.on("changed", lambda _change: seen.append(connection.in_atomic_block))
    entity = Entity.objects.create(name="Host")
    entity.delete()
    assert seen == [True, True]
    assert not connection.in_atomic_block


def test_full_clean_asks_the_validators_of_the_complete_entry(
    receiver: Receiver, user: User, network: Entity
) -> None:
    entry = Entry.objects.create_entry(user=user, schema=network, name="lan", attrs={"cidr": "10.0.0.0/8"})
    receiver.clear()
    entry.full_clean()
    Entry(schema=network, name="new").full_clean()
    attr = network.attrs.get()
    assert [(signal, change.action, change.instance, change.data) for signal, change in receiver.calls] == [
        (
            "validating",
            "update",
            entry,
            {"name": "lan", "attrs": [{"id": attr.pk, "name": "cidr", "value": "10.0.0.0/8"}]},
        ),
        (
            "validating",
            "create",
            None,
            {"name": "new", "attrs": [{"id": attr.pk, "name": "cidr", "value": None}]},
        ),
    ]


def test_full_clean_reports_a_rejection_as_forms_know_it(receiver: Receiver, lan: Entry) -> None:
    def refuse(_change: Change) -> None:
        raise HookRejected("no such network")

    receiver.on("validating", refuse)
    with pytest.raises(ValidationError, match="no such network"):
        lan.full_clean()


def test_attributes_and_values_are_switched_off_instead_of_removed(user: User, network: Entity) -> None:
    entry = Entry.objects.create_entry(user=user, schema=network, name="lan", attrs={"cidr": "10.0.0.0/8"})
    AttributeValue.objects.all().delete()
    assert entry.get_attrs() == {"cidr": None}
    Attribute.objects.get().delete()
    assert not Attribute.objects.get().is_active
    entry.set_attrs(user, cidr="10.0.0.0/9")
    assert entry.get_attrs() == {"cidr": "10.0.0.0/9"}
    assert Attribute.objects.get().is_active
    assert AttributeValue.objects.count() == 2


def test_deleting_an_attribute_of_an_entity_is_a_change_of_the_entity(
    receiver: Receiver, user: User, network: Entity
) -> None:
    receiver.clear()
    network.attrs.get().delete()
    assert receiver.changed() == [("update", "Network")]
    attr = EntityAttr.objects.get()
    assert not attr.is_active
    assert receiver.changes("changed")[0].data == {
        "attrs": [{"id": attr.pk, "name": "cidr", "is_deleted": True}]
    }

"""Names in any spelling: written, found and told apart, those of earlier releases included."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.utils import timezone

from pagoda.domain.bulk.items import read_items
from pagoda.domain.bulk.writing import write_many
from pagoda.domain.entity.models import Entity
from pagoda.domain.entity.services import create_entity, update_entity
from pagoda.domain.entry import services
from pagoda.domain.entry.history import revert_entry
from pagoda.domain.entry.models import Entry
from pagoda.domain.search.conditions import read_parameters
from pagoda.domain.search.finding import Query, find
from pagoda.domain.user.models import Role, User
from pagoda.hooks.records import checked_record
from pagoda.transfer.exporting import export
from pagoda.transfer.importing import ImportOptions, import_file

if TYPE_CHECKING:
    from core.tests.domain.conftest import Receiver

pytestmark = pytest.mark.django_db

NFC, NFD = "caf\u00e9", "cafe\u0301"
HIDDEN = "we\u200bb"


@pytest.fixture
def schema() -> Entity:
    attrs: list[dict[str, Any]] = [
        {"name": NFC, "type": "string"},
        {"name": "near", "type": "array_object", "referral": [NFC]},
        {"name": "of", "type": "group"},
        {"name": "by", "type": "role"},
    ]
    return create_entity(None, name=NFC, attrs=attrs)


def old(row: Any, name: str) -> Any:
    """Give a row a name that an earlier release took."""
    type(row).objects.filter(pk=row.pk).update(name=name)
    row.refresh_from_db()
    return row


def bulk(*items: dict[str, Any]) -> list[tuple[str, int | None]]:
    read = read_items(list(items), None)
    write_many(None, read, is_atomic=False)
    assert [item.result.error for item in read if item.result.error] == []
    return [(item.result.status, item.result.id) for item in read]


def found(parameters: dict[str, str]) -> set[str]:
    condition = read_parameters(list(parameters.items()))
    return {
        entry.name
        for entry in find(
            Entry.objects.all(), User(username="root", is_superuser=True), Query(condition=condition)
        ).rows
    }


def test_hooks_see_the_clean_name(receiver: Receiver, schema: Entity) -> None:
    receiver.clear()
    entry = services.create_entry(None, schema, name=f" {NFD}")
    services.update_entry(entry, None, name="\u1e9b\u0323 ")
    update_entity(schema, None, name=f"{NFD}2", attrs=[{"name": f"{NFD}3", "type": "string"}])

    told = [change.data for signal, change in receiver.calls if signal == "changing"]
    assert [data["name"] for data in told] == [NFC, "\u1e9b\u0323", f"{NFC}2"]
    assert told[2]["attrs"][0]["name"] == f"{NFC}3"
    assert (entry.name, schema.name) == ("\u1e9b\u0323", f"{NFC}2")


def test_another_spelling_of_the_stored_name_is_no_change(receiver: Receiver, schema: Entity) -> None:
    entry = services.create_entry(None, schema, name=NFC)
    receiver.clear()
    services.update_entry(entry, None, name=f"{NFD} ")
    update_entity(schema, None, name=NFD)

    assert receiver.calls == []


@pytest.mark.parametrize("name", [NFD, HIDDEN, " padded "], ids=ascii)
def test_an_old_name_that_is_sent_back_stays(schema: Entity, name: str) -> None:
    entry, attr = old(services.create_entry(None, schema, name="web"), name), schema.attrs.get(name=NFC)
    old(schema, name), old(attr, name)

    services.update_entry(entry, None, name=name, note="n", attrs={name: "x"})
    update_entity(schema, None, name=name, note="n", attrs=[{"id": attr.pk, "name": name, "note": "n"}])
    entry.delete()
    entry.restore()

    for row in (entry, schema, attr):
        row.refresh_from_db()
    assert [(row.name, row.note) for row in (entry, schema, attr)] == [(name, "n")] * 3
    assert entry.get_attrs()[name] == "x"


def test_an_old_name_takes_the_clean_one(schema: Entity) -> None:
    entry, attr = old(services.create_entry(None, schema, name="web"), NFD), schema.attrs.get(name=NFC)
    old(attr, NFD)

    with pytest.raises(ValidationError, match="already has an entry"):
        services.create_entry(None, schema, name=NFC)
    with pytest.raises(ValidationError, match="has an attribute"):
        update_entity(schema, None, attrs=[{"name": NFC, "type": "string"}])
    services.update_entry(entry, None, name=NFC)
    update_entity(schema, None, attrs=[{"id": attr.pk, "name": NFC}])

    assert (entry.name, set(entry.get_attrs())) == (NFC, {NFC, "near", "of", "by"})


def test_two_of_one_write_can_t_have_one_name(schema: Entity) -> None:
    with pytest.raises(ValidationError) as caught:
        services.create_entries(None, schema, [{"name": NFC}, {"name": NFD}])

    assert list(caught.value.message_dict) == ["rows[1].name"]
    assert Entry.objects.count() == 0


def test_a_revert_to_an_old_spelling_leaves_the_name(schema: Entity) -> None:
    entry = old(services.create_entry(None, schema, name="web"), NFD)
    services.update_entry(entry, None, note="n")
    then = timezone.now()
    services.update_entry(entry, None, name=NFC, note="later")
    revert_entry(entry, None, then)

    entry.refresh_from_db()
    assert (entry.name, entry.note) == (NFC, "n")


def test_a_revert_to_a_name_that_nobody_can_read_says_so(schema: Entity) -> None:
    entry = old(services.create_entry(None, schema, name="web"), HIDDEN)
    then = timezone.now()
    services.update_entry(entry, None, name="db")

    with pytest.raises(ValidationError) as caught:
        revert_entry(entry, None, then)
    assert list(caught.value.message_dict) == ["name"]


@pytest.mark.parametrize("stored", [NFC, NFD], ids=ascii)
def test_many_writes_find_things_by_any_spelling(schema: Entity, stored: str) -> None:
    entry = services.create_entry(None, schema, name="web", attrs={NFC: "serial"})
    group, role = Group.objects.create(name="g"), Role.objects.create(name="r")
    for row in (entry, schema, schema.attrs.get(name=NFC), group, role):
        old(row, stored)
    for given in (NFC, NFD, f" {NFD} "):
        near = {"near": [{"name": given, "entity": given}, given], "of": given, "by": {"name": given}}
        assert bulk(
            {"op": "upsert", "entity": given, "name": given, "attrs": {given: given, **near}},
            {"op": "upsert", "entity": given, "name": given, "key": given, "attrs": {given: given}},
        ) == [("updated", entry.pk), ("unchanged", entry.pk)]
        assert entry.get_attrs()["of"]["id"] == group.pk
        old(entry, stored)
        services.update_entry(entry, None, attrs={given: "", "near": [], "of": None, "by": None})


def test_what_names_another_of_the_same_request_is_made_behind_it(schema: Entity) -> None:
    made = bulk(
        {"op": "create", "entity": NFC, "name": NFD},
        {"op": "create", "entity": NFC, "name": "b", "attrs": {"near": [f" {NFC}"]}},
    )

    assert [status for status, _ in made] == ["created", "created"]
    near = Entry.objects.get(name="b").get_attrs()["near"]
    assert [each["id"] for each in near] == [made[0][1]]


@pytest.mark.parametrize("stored", [NFC, NFD], ids=ascii)
def test_conditions_take_any_spelling(schema: Entity, stored: str) -> None:
    entry = services.create_entry(None, schema, name="web", attrs={NFC: "x"})
    services.create_entry(None, schema, name="b", attrs={"near": [entry.pk]})
    for row in (entry, schema.attrs.get(name=NFC)):
        old(row, stored)
    for given in (NFC, NFD):
        assert found({"name": given}) == {stored}
        assert found({"name__in": f"{given},nothing"}) == {stored}
        assert found({f"attr.{given}": "x"}) == {stored}
        assert found({"attr.near": given}) == {"b"}
        assert found({f"attr.near.attr.{given}": "x"}) == {"b"}
    assert found({"name__contains": NFD[1:]}) == ({NFC} if stored == NFC else set())


def test_a_file_and_an_export_name_things_in_any_spelling(schema: Entity) -> None:
    entry = services.create_entry(None, schema, name=NFC)
    text = f'entity,name,{NFD},near\n{NFD},{NFD} ,7,"[""{NFD}""]"\n'

    report = import_file(io.BytesIO(text.encode()), None, ImportOptions(file_format="csv"))
    stream = io.BytesIO()
    export(stream, None, file_format="json", entities=[NFD])

    assert (report.updated, report.refused, report.refusals) == (1, 0, [])
    assert entry.get_attrs()[NFC] == "7"
    assert NFC in json.dumps(json.loads(stream.getvalue()), ensure_ascii=False)


def test_a_schema_of_a_file_makes_no_second_entity(schema: Entity) -> None:
    text = json.dumps({"entities": [{"name": NFD}, {"name": f"{NFD}2 "}], "entries": []})

    report = import_file(io.BytesIO(text.encode()), None, ImportOptions(file_format="json"))

    assert report.entities == [f"{NFC}2"]
    assert {entity.name for entity in Entity.objects.all()} == {NFC, f"{NFC}2"}


def test_whoever_saves_a_row_its_name_is_clean(receiver: Receiver, schema: Entity) -> None:
    role = Role.objects.create(name=f" {NFD}")
    schema.name = f"{NFD}2"
    receiver.clear()
    schema.save()

    assert (role.name, Entity.objects.get(pk=schema.pk).name) == (NFC, f"{NFC}2")
    assert [change.data["name"] for change in receiver.changes("changing")] == [f"{NFC}2"]


def test_a_plain_save_leaves_an_old_name(receiver: Receiver, schema: Entity) -> None:
    old(schema, NFD)
    receiver.clear()
    schema.save()
    schema.note = "n"
    schema.save()

    schema.refresh_from_db()
    assert (schema.name, schema.note) == (NFD, "n")
    assert receiver.changed() == [("update", NFD)]


def test_a_hook_for_an_old_name_is_called(schema: Entity) -> None:
    record = checked_record(
        "entry.after_create",
        lambda *_: None,
        plugin_id="p",
        entity=NFD,
        priority=1,
        plugin_order=1,
        position=1,
        deferred=False,
        fail_closed=False,
    )

    assert [record.handles(name) for name in (NFC, NFD, "cafe")] == [True, True, False]

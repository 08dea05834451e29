"""What entities and attributes may be called and be, and how they change."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from pagoda_plugin_sdk.models import Entity, EntityAttr, Entry

BAD_NAMES = ["", "  ", "a\nb", "a\x00b", "x" * 201, "\ud800", 3, None]


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_a_bad_name_of_an_entity_is_refused(name: Any, host: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Entity.objects.create_entity(user=None, name=name)

    assert caught.value.message_dict.keys() == {"name"}
    assert Entity.objects.count() == 0


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_a_bad_name_of_an_entry_is_refused(name: Any, make: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        make.entry(make.entity(), name)

    assert caught.value.message_dict.keys() == {"name"}
    assert Entry.objects.count() == 0


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"name": "a", "type": "strin"}, "unknown_type"),
        ({"name": "a", "type": 3}, "unknown_type"),
        ({"name": "a"}, "required"),
        ({"type": "string"}, "required"),
        ({"name": "", "type": "string"}, "name"),
        ({"name": "a", "type": "string", "colour": "red"}, "unknown"),
        ({"name": "a", "type": "string", "is_mandatory": "yes"}, "type"),
        ({"name": "a", "type": "string", "index": "1"}, "type"),
        ({"name": "a", "type": "string", "referral": ["Host"]}, "referral"),
        ({"name": "a", "type": "object", "referral": "Host"}, "referral"),
        ({"name": "a", "type": "object", "referral": [None]}, "referral"),
        ({"name": "a", "type": "object", "referral": ["Nothing"]}, "unknown"),
        ({"name": "a", "type": "select"}, "choices"),
        ({"name": "a", "type": "select", "choices": ["x", "x"]}, "choices"),
        ({"name": "a", "type": "string", "choices": ["x"]}, "choices"),
        ({"name": "a", "type": "number", "default_value": "3"}, "default"),
        ({"name": "a", "type": "object", "default_value": 1}, "default"),
        ({"name": "a", "type": "string", "default_permission": 3}, "type"),
        ({"name": "a", "type": "string", "note": 3}, "note"),
        ("a", "type"),
    ],
    ids=str,
)
def test_a_wrong_attribute_is_refused_with_its_code(spec: Any, code: str, host: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Entity.objects.create_entity(user=None, name="Host", attrs=[spec] if isinstance(spec, dict) else spec)

    codes = [fault.code for faults in caught.value.error_dict.values() for fault in faults]
    assert codes == ([code] if isinstance(spec, dict) else [None])
    assert Entity.objects.count() == 0


def test_a_type_that_is_nearly_one_is_named(make: Any) -> None:
    with pytest.raises(ValidationError, match=r"no attribute type 'strin'\. Did you mean 'string'"):
        make.entity(value="strin")


def test_two_attributes_of_one_name_are_refused(host: Any) -> None:
    attrs = [{"name": "a", "type": "string"}, {"name": "a", "type": "number"}]

    with pytest.raises(ValidationError) as caught:
        Entity.objects.create_entity(user=None, name="Host", attrs=attrs)

    assert caught.value.message_dict == {
        "a": ["Entity 'Host' has an attribute 'a' already; choose another name."]
    }


def test_more_attributes_than_allowed_are_refused(host: Any) -> None:
    attrs = [{"name": f"a{number}", "type": "string"} for number in range(1_001)]

    with pytest.raises(ValidationError, match="more than 1,000 attributes") as caught:
        Entity.objects.create_entity(user=None, name="Host", attrs=attrs)

    assert caught.value.message_dict.keys() == {"attrs"}


def test_more_faults_than_a_reader_can_use_are_counted(make: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        make.entry(make.entity(), **{f"unknown_{number}": 1 for number in range(60)})

    assert caught.value.messages[-1] == "There are 40 more faults."


def test_the_name_of_an_active_entity_is_taken(make: Any) -> None:
    first = make.entity()

    with pytest.raises(ValidationError) as caught:
        make.entity()
    first.delete()
    second = make.entity()

    assert caught.value.message_dict == {
        "name": ["The name 'Host' is taken by another entity; choose another name."]
    }
    with pytest.raises(ValidationError, match="is taken by another entity"):
        first.restore()
    assert second.id != first.id


def test_the_name_of_an_active_entry_is_taken(make: Any) -> None:
    entity = make.entity()
    first = make.entry(entity)

    with pytest.raises(ValidationError) as caught:
        make.entry(entity)
    make.entry(make.entity("Other"), "web-1")
    first.delete()
    make.entry(entity)

    assert caught.value.message_dict == {
        "name": ["Entity 'Host' already has an entry named 'web-1'; choose another name."]
    }
    assert [fault.code for fault in caught.value.error_dict["name"]] == ["taken"]
    with pytest.raises(ValidationError, match="has another entry 'web-1' by now; rename that one first"):
        first.restore()


def test_attributes_can_be_added_changed_and_removed(make: Any) -> None:
    entity = make.entity(a="string", b="string")
    entry = make.entry(entity, a="1", b="2")
    a, b = EntityAttr.objects.filter(parent_entity=entity).order_by("name")

    entity.update_attrs(
        None,
        [{"id": a.id, "name": "z"}, {"id": b.id, "is_deleted": True}, {"name": "c", "type": "array_date"}],
    )

    assert entry.get_attrs() == {"z": "1", "c": []}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"type": "named_object"}, "type_fixed"),
        ({"name": "b"}, "taken"),
        ({"id": 4711}, "unknown"),
        ({"id": "a"}, "unknown"),
    ],
    ids=str,
)
def test_a_change_that_can_t_be_is_refused(change: dict[str, Any], code: str | None, make: Any) -> None:
    entity = make.entity(a="string", b="string")
    first = EntityAttr.objects.get(parent_entity=entity, name="a")

    with pytest.raises(ValidationError) as caught:
        entity.update_attrs(None, [{"id": first.id, **change}])

    assert [fault.code for faults in caught.value.error_dict.values() for fault in faults] == [code]
    assert sorted(make.entry(entity).get_attrs()) == ["a", "b"]


CONVERSIONS = [
    ("string", "2.5", "number", 2.5),
    ("number", 3, "array_text", ["3"]),
    ("boolean", True, "number", 1),
    ("array_string", ["true"], "boolean", True),
    ("string", " ", "number", None),
]


@pytest.mark.parametrize(("kind", "value", "new", "expected"), CONVERSIONS, ids=str)
def test_values_follow_a_new_type(kind: str, value: Any, new: str, expected: Any, make: Any) -> None:
    entity = make.entity(a=kind)
    entry, bare = make.entry(entity, a=value), make.entry(entity, "web-2")
    attr = EntityAttr.objects.get(parent_entity=entity, name="a")

    entity.update_attrs(None, [{"id": attr.id, "type": new}])

    assert entry.get_attrs() == {"a": expected}
    assert bare.get_attrs() in ({"a": None}, {"a": []})


def test_names_become_references_and_names_again(make: Any) -> None:
    tokyo = make.entry(make.entity("Site"), "Tokyo")
    entity = make.entity(a="string")
    entry = make.entry(entity, a="Tokyo")
    attr = EntityAttr.objects.get(parent_entity=entity, name="a")

    with pytest.raises(ValidationError, match="a name tells an entry where 'referral' says"):
        entity.update_attrs(None, [{"id": attr.id, "type": "object"}])
    entity.update_attrs(None, [{"id": attr.id, "type": "object", "referral": ["Site"]}])
    assert entry.get_attrs()["a"]["id"] == tokyo.id
    entity.update_attrs(None, [{"id": attr.id, "type": "text"}])

    assert entry.get_attrs() == {"a": "Tokyo"}
    make.entry(entity, "web-2", a="Osaka")
    with pytest.raises(ValidationError, match=r"has 'Osaka', which can't become object: there is no entry"):
        entity.update_attrs(None, [{"id": attr.id, "type": "object", "referral": ["Site"]}])


def test_a_value_that_can_t_follow_refuses_the_type(make: Any) -> None:
    entity = make.entity(a="string")
    good, bad = make.entry(entity, a="1"), make.entry(entity, "web-2", a="x")
    attr = EntityAttr.objects.get(parent_entity=entity, name="a")

    with pytest.raises(ValidationError) as caught:
        entity.update_attrs(None, [{"id": attr.id, "type": "number"}])

    says = f"Entry 'web-2' (id {bad.id}) has 'x', which can't become number"
    assert caught.value.message_dict == {"a": [f"{says}: expected a number such as 3 or 3.5, got 'x'."]}
    assert (good.get_attrs(), bad.get_attrs()) == ({"a": "1"}, {"a": "x"})


def test_an_entity_with_entries_can_t_be_deleted(make: Any) -> None:
    entity = make.entity()
    entry = make.entry(entity)

    with pytest.raises(ValidationError, match=r"Entity 'Host' has active entries; delete them first\."):
        entity.delete()
    entry.delete()
    entity.delete()

    with pytest.raises(ValidationError, match="is deleted; restore it before adding entries"):
        make.entry(entity, "web-2")
    with pytest.raises(ValidationError, match="is deleted; restore it before its entry"):
        entry.restore()
    with pytest.raises(ValidationError, match="is deleted; restore it before changing it"):
        entity.update_attrs(None, [{"name": "a", "type": "string"}])
    entity.restore()
    entry.restore()
    assert entry.is_active


def test_a_deleted_entry_can_t_be_changed(make: Any) -> None:
    entry = make.entry(make.entity(a="string"), a="1")
    entry.delete()
    entry.delete()

    with pytest.raises(ValidationError, match="is deleted; restore it first"):
        entry.set_attrs(None, a="2")
    entry.restore()
    entry.restore()

    assert (entry.is_active, entry.get_attrs()) == (True, {"a": "1"})


def test_get_tells_none_from_several(make: Any) -> None:
    entity = make.entity()
    make.entry(entity).delete()
    make.entry(entity)

    with pytest.raises(Entry.DoesNotExist):
        Entry.objects.get(name="nothing")
    with pytest.raises(Entry.MultipleObjectsReturned):
        Entry.objects.get(name="web-1")
    assert Entry.objects.get(name="web-1", is_active=True).name == "web-1"


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, ["db-1", "web-1", "web-2"]),
        ({"name__startswith": "web"}, ["web-1", "web-2"]),
        ({"name__in": ["db-1", "none"]}, ["db-1"]),
        ({"name__icontains": "B-1"}, ["db-1", "web-1"]),
        ({"name__contains": "b-"}, ["db-1", "web-1", "web-2"]),
        ({"name__iexact": "DB-1"}, ["db-1"]),
        ({"schema__name": "Host", "is_active": True}, ["db-1", "web-1", "web-2"]),
        ({"schema__name": "Other"}, []),
    ],
    ids=str,
)
def test_look_ups_find_the_same(conditions: dict[str, Any], expected: list[str], make: Any) -> None:
    entity = make.entity()
    for name in ("web-2", "db-1", "web-1"):
        make.entry(entity, name)

    found = Entry.objects.filter(**conditions).order_by("name")

    assert list(found.values_list("name", flat=True)) == expected
    assert (found.count(), found.exists()) == (len(expected), bool(expected))
    left = [entry.name for entry in Entry.objects.exclude(**conditions).order_by("name")]
    assert left == [name for name in ("db-1", "web-1", "web-2") if name not in expected or not conditions]


def test_many_entries_are_read_at_once(make: Any) -> None:
    entity = make.entity(a="number")
    entries = [make.entry(entity, f"web-{number}", a=number) for number in range(3)]

    assert Entry.objects.read_attrs(entries) == {entry.id: entry.get_attrs() for entry in entries}


NFC, NFD = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize("name", ["a\u200bb", "\u202eabc", "\u3164", "\u0301", "\ufeffx"], ids=ascii)
def test_a_name_with_what_nobody_sees_is_refused(name: str, make: Any) -> None:
    schema = make.entity()

    with pytest.raises(ValidationError) as caught:
        make.entity(name)
    assert caught.value.message_dict.keys() == {"name"}
    with pytest.raises(ValidationError) as caught:
        make.entry(schema, name)
    assert caught.value.message_dict.keys() == {"name"}
    with pytest.raises(ValidationError) as caught:
        schema.update_attrs(None, [{"name": name, "type": "string"}])
    assert caught.value.message_dict.keys() == {name}


def test_names_are_stored_composed_and_trimmed(make: Any) -> None:
    schema = make.entity(f" {NFD}", **{f"{NFD} ": "string"})
    entry = make.entry(schema, f"\u3000{NFD}\n", **{NFD: "as it\u0301 is "})

    assert (schema.name, entry.name) == (NFC, NFC)
    assert entry.get_attrs() == {NFC: "as it\u0301 is "}


def test_two_spellings_are_one_name(make: Any) -> None:
    schema = make.entity(NFC, **{NFC: "string"})
    make.entry(schema, NFC)

    with pytest.raises(ValidationError) as caught:
        make.entity(NFD)
    assert [error.code for error in caught.value.error_dict["name"]] == ["taken"]
    with pytest.raises(ValidationError) as caught:
        make.entry(schema, f" {NFD}")
    assert [error.code for error in caught.value.error_dict["name"]] == ["taken"]
    with pytest.raises(ValidationError) as caught:
        schema.update_attrs(None, [{"name": NFD, "type": "string"}])
    assert [error.code for error in caught.value.error_dict[NFC]] == ["taken"]
    assert Entry.objects.count() == 1


def test_case_tells_names_apart(make: Any) -> None:
    schema = make.entity()

    assert [make.entry(schema, name).name for name in ("web", "Web")] == ["web", "Web"]


def test_a_plain_save_stores_the_name_clean(make: Any) -> None:
    entry = make.entry(make.entity(), "web")
    entry.name = f"{NFD} "
    entry.save()

    assert entry.name == NFC
    assert [each.name for each in Entry.objects.all()] == [NFC]

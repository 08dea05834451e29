"""What references may point to, and what they are when they are read."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError


@pytest.fixture
def rack(make: Any) -> Any:
    return make.entry(make.entity("Rack"), "rack-1")


def shown(entry: Any) -> dict[str, Any]:
    return {"id": entry.id, "name": entry.name, "schema": {"id": entry.schema.id, "name": entry.schema.name}}


@pytest.mark.parametrize("form", ["object", "id", "dictionary"])
def test_a_reference_is_given_in_three_forms(form: str, make: Any, rack: Any) -> None:
    given = {"object": rack, "id": rack.id, "dictionary": {"id": rack.id}}[form]

    entry = make.entry(make.entity(rack="object"), rack=given)

    assert entry.get_attrs() == {"rack": shown(rack)}


@pytest.mark.parametrize("given", [0, -1, 4711, True, "rack-1", {"name": "rack-1"}, {}, 2**70, [1]], ids=repr)
@pytest.mark.parametrize("type_name", ["object", "group", "role"])
def test_what_is_no_reference_is_refused(type_name: str, given: Any, make: Any) -> None:
    entity = make.entity(value=type_name)

    with pytest.raises(ValidationError) as caught:
        make.entry(entity, value=given)

    assert type(caught.value).__name__ == "AttributeTypeError"
    assert caught.value.message_dict["value"][0].startswith("Attribute 'value': ")


def test_a_reference_to_another_entity_than_allowed_is_refused(make: Any, rack: Any) -> None:
    make.entity("Room")
    entity = make.entity(place={"type": "object", "referral": ["Room"]})

    with pytest.raises(ValidationError) as caught:
        make.entry(entity, place=rack)

    assert caught.value.messages == [
        (
            f"Attribute 'place': entry 'rack-1' (id {rack.id}) is of entity 'Rack'; "
            "it may point to entries of 'Room'"
        )
    ]


def test_an_attribute_may_point_to_its_own_entity(make: Any) -> None:
    entity = make.entity(parent={"type": "object", "referral": ["Host"]})
    parent = make.entry(entity, "parent")

    assert make.entry(entity, "child", parent=parent).get_attrs()["parent"] == shown(parent)


def test_an_array_keeps_order_and_repeats(make: Any, rack: Any) -> None:
    other = make.entry(rack.schema, "rack-2")
    entry = make.entry(make.entity(racks="array_object"), racks=[other, rack.id, {"id": other.id}])

    assert [each["name"] for each in entry.get_attrs()["racks"]] == ["rack-2", "rack-1", "rack-2"]


def test_named_references_carry_a_name(make: Any, rack: Any) -> None:
    entity = make.entity(one="named_object", many="array_named_object")
    entry = make.entry(
        entity,
        one={"name": "left", "object": rack},
        many=[{"name": "top"}, {"object": rack.id}, {"name": "low", "object": {"id": rack.id}}],
    )

    assert entry.get_attrs() == {
        "one": {"name": "left", "object": shown(rack)},
        "many": [
            {"name": "top", "object": None},
            {"name": "", "object": shown(rack)},
            {"name": "low", "object": shown(rack)},
        ],
    }


@pytest.mark.parametrize(
    "given",
    [{}, {"name": 3}, {"name": "a", "more": 1}, "left", 1, {"name": "x" * 201}, {"object": "rack"}],
    ids=repr,
)
def test_what_is_no_named_reference_is_refused(given: Any, make: Any) -> None:
    entity = make.entity(value="named_object")

    with pytest.raises(ValidationError) as caught:
        make.entry(entity, value=given)

    assert caught.value.message_dict.keys() == {"value"}


def test_a_reference_to_what_is_deleted_shows_as_none(make: Any, rack: Any) -> None:
    entry = make.entry(make.entity(one="object", many="array_object"), one=rack, many=[rack])

    rack.delete()

    assert entry.get_attrs() == {"one": None, "many": []}
    rack.restore()
    assert entry.get_attrs() == {"one": shown(rack), "many": [shown(rack)]}


def test_a_reference_to_what_is_deleted_can_t_be_made(make: Any, rack: Any) -> None:
    rack.delete()

    with pytest.raises(ValidationError, match="there is no entry with the id"):
        make.entry(make.entity(rack="object"), rack=rack.id)


def test_a_renamed_entry_is_shown_by_its_new_name(make: Any, rack: Any) -> None:
    entry = make.entry(make.entity(rack="object"), rack=rack)

    rack.name = "rack-9"
    rack.save()

    assert entry.get_attrs()["rack"]["name"] == "rack-9"


def test_a_chain_is_deleted_with_what_it_hangs_on(make: Any) -> None:
    disk = make.entry(make.entity("Disk"), "disk-1")
    shared = make.entry(disk.schema, "shared")
    entity = make.entity(disks={"type": "array_object", "is_delete_in_chain": True})
    entry = make.entry(entity, "web-1", disks=[disk, shared])
    make.entry(entity, "web-2", disks=[shared])

    entry.delete()

    for each in (entry, disk, shared):
        each.refresh_from_db()
    assert (entry.is_active, disk.is_active, shared.is_active) == (False, False, True)

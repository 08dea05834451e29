"""What is deleted with an entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pagoda.domain.changes import Change
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry import deleting, services
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import User
from tools.examples import examples

if TYPE_CHECKING:
    from core.tests.domain.conftest import Receiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def disk(user: User) -> Entity:
    return Entity.objects.create_entity(
        user=user,
        name="Disk",
        attrs=[
            {"name": "parts", "type": "array_object", "is_delete_in_chain": True},
            {"name": "near", "type": "array_object"},
        ],
    )


def make(user: User, disk: Entity, name: str, **attrs: object) -> Entry:
    return services.create_entry(user, disk, name=name, attrs=attrs)


def active() -> set[str]:
    return set(Entry.objects.active().values_list("name", flat=True))


def test_parts_are_deleted_along_each_with_its_hooks(receiver: Receiver, user: User, disk: Entity) -> None:
    leaf = make(user, disk, "leaf")
    part = make(user, disk, "part", parts=[leaf])
    near = make(user, disk, "near")
    whole = make(user, disk, "whole", parts=[part], near=[near])
    receiver.clear()
    assert [entry.name for entry in services.delete_entry(whole, user)] == ["whole", "part", "leaf"]
    assert active() == {"near"}
    assert receiver.told == [("changing", "entry", "delete")] * 3 + [("changed", "entry", "delete")] * 3
    services.restore_entry(whole, user)
    assert active() == {"near", "whole"}


def test_what_something_else_refers_to_stays_with_its_parts(user: User, disk: Entity) -> None:
    leaf = make(user, disk, "leaf")
    part = make(user, disk, "part", parts=[leaf])
    whole = make(user, disk, "whole", parts=[part])
    make(user, disk, "other", near=[part])
    services.delete_entry(whole, user)
    assert active() == {"part", "leaf", "other"}


def test_what_only_deleted_things_refer_to_goes(user: User, disk: Entity) -> None:
    shared = make(user, disk, "shared")
    one = make(user, disk, "one", parts=[shared])
    two = make(user, disk, "two", parts=[shared])
    services.delete_entry(one, user)
    assert active() == {"shared", "two"}
    services.delete_entry(two, user)
    assert active() == set()


def test_a_circle_of_parts_ends(user: User, disk: Entity) -> None:
    one = make(user, disk, "one")
    two = make(user, disk, "two", parts=[one])
    one.set_attrs(user, parts=[two, one])
    services.delete_entry(one, user)
    assert active() == set()


def test_who_refers_by_chain_is_deleted_along_with_hooks_and_parts_of_its_own(
    receiver: Receiver, user: User, disk: Entity
) -> None:
    attrs = [{"name": "of", "type": "object", "on_delete": "chain"}]
    label = Entity.objects.create_entity(user=user, name="Label", attrs=attrs)
    part = make(user, disk, "part")
    whole = make(user, disk, "whole", parts=[part])
    make(user, label, "of part", of=part)
    make(user, label, "of whole", of=whole)
    receiver.clear()
    deleted = services.delete_entry(whole, user)
    assert {entry.name for entry in deleted} == {"whole", "of whole"}  # its label keeps the part
    assert receiver.told == [("changing", "entry", "delete")] * 2 + [("changed", "entry", "delete")] * 2
    assert {entry.name for entry in services.delete_entry(part, user)} == {"part", "of part"}
    assert active() == set()


def test_who_goes_along_protects_nothing(user: User, disk: Entity) -> None:
    attrs = [
        {"name": "of", "type": "object", "on_delete": "chain"},
        {"name": "on", "type": "object", "on_delete": "protect"},
    ]
    label = Entity.objects.create_entity(user=user, name="Label", attrs=attrs)
    whole = make(user, disk, "whole")
    make(user, label, "both", of=whole, on=whole)
    other = make(user, label, "other", on=whole)
    with pytest.raises(deleting.EntryProtected, match="entry 'other' of entity 'Label' by 'on'"):
        services.delete_entry(whole, user)
    assert active() == {"whole", "both", "other"}
    services.delete_entries([whole, other], user)
    assert active() == set()


def test_former_parts_stay(user: User, disk: Entity) -> None:
    part = make(user, disk, "part")
    whole = make(user, disk, "whole", parts=[part])
    whole.set_attrs(user, parts=[])
    services.delete_entry(whole, user)
    assert active() == {"part"}


def test_a_refusal_for_one_part_deletes_nothing(receiver: Receiver, user: User, disk: Entity) -> None:
    part = make(user, disk, "part")
    whole = make(user, disk, "whole", parts=[part])

    def refuse(change: Change) -> None:
        if str(change.instance) == "part":
            raise ValueError("no")

    receiver.on("changing", refuse)
    with pytest.raises(ValueError, match="no"):
        services.delete_entry(whole, user)
    assert active() == {"part", "whole"}
    assert whole.is_active


@settings(
    max_examples=examples(40, quick=15),
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the test empties what it filled
)
@given(
    edges=st.sets(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans()).filter(
            lambda edge: edge[0] != edge[1]
        ),
        max_size=10,
    )
)
def test_nothing_that_stays_points_to_what_goes(disk: Entity, edges: set[tuple[int, int, bool]]) -> None:
    Entry.objects.all().delete()
    entries = services.create_entries(None, disk, [{"name": str(number)} for number in range(6)])
    for source, entry in enumerate(entries):
        targets = {
            is_part: [entries[to] for start, to, part in edges if start == source and part is is_part]
            for is_part in (True, False)
        }
        entry.set_attrs(None, parts=targets[True], near=targets[False])
    ids = [entry.pk for entry in entries]
    gone = {ids.index(entry.pk) for entry in deleting._doomed([entries[0].pk], None)}
    assert 0 in gone
    for source, to, _is_part in edges:
        assert source in gone or to not in gone or to == 0
    reachable = {0}
    for _ in entries:
        reachable |= {to for source, to, is_part in edges if is_part and source in reachable}
    assert gone <= reachable

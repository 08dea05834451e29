"""A write by replacement leaves what its sender could not see as it was."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from hypothesis import given
from hypothesis import strategies as st

from pagoda.domain.access import attrinfo_for
from pagoda.domain.entity import services as entities
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry import services
from pagoda.domain.entry.models import AttributeValue, Entry
from pagoda.domain.user.models import Level, Role, RolePermission, User
from pagoda_plugin_sdk.rules.attr_types import TYPES
from pagoda_plugin_sdk.rules.faults import AttributeTypeError
from pagoda_plugin_sdk.rules.replacing import read_replacement
from pagoda_plugin_sdk.rules.state import Definition, Link, LinkTarget, Value
from pagoda_plugin_sdk.rules.value_types import as_json

pytestmark = pytest.mark.django_db


@pytest.fixture
def secret(user: User) -> Entity:
    entity = Entity.objects.create_entity(user=None, name="Secret")
    Entity.objects.filter(pk=entity.pk).update(default_permission=Level.NOTHING)
    return entity


@pytest.fixture
def open_entity(user: User) -> Entity:
    return Entity.objects.create_entity(user=None, name="Open", default_permission=Level.FULL)


def shown(entry: Entry, user: User | None) -> Any:
    return attrinfo_for([entry], user)[entry.pk][0]["value"]


def holder(attr_type: str, value: object, name: str = "holder") -> Entry:
    entity = Entity.objects.create_entity(
        user=None,
        name=f"Holder of {name}",
        default_permission=Level.FULL,
        attrs=[{"name": "refs", "type": attr_type}],
    )
    return services.create_entry(None, entity, name=name, attrs={"refs": value})


def stored_targets(entry: Entry) -> list[tuple[str, int | None]]:
    value = AttributeValue.objects.get(parent_entry=entry, is_latest=True)
    return [(link.name, link.entry_id or link.group_id or link.role_id) for link in value.references.all()]


@pytest.mark.parametrize("attr_type", ["array_object", "array_named_object"])
@pytest.mark.parametrize("reason", ["hidden", "deleted"])
def test_what_is_shown_plus_one_keeps_the_references_that_are_not(
    user: User, secret: Entity, open_entity: Entity, attr_type: str, reason: str
) -> None:
    of = secret if reason == "hidden" else open_entity
    unseen = services.create_entries(None, of, [{"name": f"s{number}"} for number in range(2)])
    seen = services.create_entries(None, open_entity, [{"name": f"o{number}"} for number in range(2)])
    is_named = "named" in attr_type
    refs = [unseen[0], seen[0], unseen[1]]
    value = [{"name": f"n{place}", "object": each} for place, each in enumerate(refs)] if is_named else refs
    entry = holder(attr_type, value)
    if reason == "deleted":
        for each in unseen:
            services.delete_entry(each, None)
    before = shown(entry, user)
    plus = {"name": "new", "object": seen[1].pk} if is_named else seen[1].pk

    services.update_entry(entry, user, attrs={"refs": before})
    assert AttributeValue.objects.filter(parent_entry=entry).count() == 1  # what is shown is what is stored
    services.update_entry(entry, user, attrs={"refs": [*before, plus]})

    ids = [unseen[0].pk, seen[0].pk, unseen[1].pk, seen[1].pk]
    names = ["n0", "n1", "n2", "new"] if is_named else [""] * 4
    # Without a name to hold its place, what is not shown stays behind what it followed.
    assert stored_targets(entry) == list(zip(names, ids, strict=True))
    if reason == "deleted":
        for each in unseen:
            services.restore_entry(each, None)
        objects = [each["object"] if is_named else each for each in shown(entry, user)]
        assert [each["id"] for each in objects] == ids


@pytest.mark.parametrize("sent", [None, []], ids=["null", "empty"])
@pytest.mark.parametrize("attr_type", ["array_object", "array_named_object"])
def test_an_emptied_array_keeps_what_was_not_shown(
    user: User, secret: Entity, attr_type: str, sent: object
) -> None:
    unseen = services.create_entry(None, secret, name="s")
    value = [{"name": "n", "object": unseen}] if "named" in attr_type else [unseen]
    entry = holder(attr_type, value)
    services.update_entry(entry, user, attrs={"refs": sent})
    assert [target for _, target in stored_targets(entry)] == [unseen.pk]
    assert shown(entry, user) == []


@pytest.mark.parametrize("reason", ["hidden", "deleted"])
def test_a_single_reference_that_is_not_shown_is_replaced_by_another_alone(
    user: User, secret: Entity, open_entity: Entity, reason: str
) -> None:
    unseen = services.create_entry(None, secret if reason == "hidden" else open_entity, name="s")
    other = services.create_entry(None, open_entity, name="o")
    plain = holder("object", unseen, "plain")
    named = holder("named_object", {"name": "eth0", "object": unseen}, "named")
    if reason == "deleted":
        services.delete_entry(unseen, None)

    services.update_entry(plain, user, attrs={"refs": shown(plain, user)})
    services.update_entry(named, user, attrs={"refs": {"name": "eth1", "object": None}})

    assert (shown(plain, user), shown(named, user)) == (None, {"name": "eth1", "object": None})
    assert (stored_targets(plain), stored_targets(named)) == ([("", unseen.pk)], [("eth1", unseen.pk)])
    services.update_entry(plain, user, attrs={"refs": other})
    assert stored_targets(plain) == [("", other.pk)]


def test_inactive_roles_and_groups_that_are_gone_are_kept_or_left_alone(user: User, role: Role) -> None:
    other = Role.objects.create(name="others")
    entry = holder("array_role", [role, other])
    role.is_active = False
    role.save()
    services.update_entry(entry, user, attrs={"refs": shown(entry, user)})
    services.update_entry(entry, user, attrs={"refs": []})
    assert stored_targets(entry) == [("", role.pk)]
    gone = Group.objects.create(name="gone")
    groups = holder("array_group", [gone, Group.objects.create(name="stays")], "groups")
    gone.delete()
    services.update_entry(groups, user, attrs={"refs": shown(groups, user)})
    assert AttributeValue.objects.filter(parent_entry=groups).count() == 1


def test_who_sees_all_replaces_all(user: User, secret: Entity) -> None:
    unseen = services.create_entry(None, secret, name="s")
    entry = holder("array_object", [unseen])
    RolePermission.objects.create(role=Role.objects.create(name="r"), entity=secret, level=Level.READABLE)
    Role.objects.get().users.add(user)
    services.update_entry(entry, user, attrs={"refs": []})
    assert stored_targets(entry) == []


NAMES = st.sampled_from(["", "a", "b"])


@st.composite
def links(draw: st.DrawFn) -> list[Link]:
    made = []
    for _ in range(draw(st.integers(0, 5))):
        target_id = draw(st.sampled_from([None, 1, 2, 3, 4]))
        target = None
        if target_id is not None:
            is_seen = target_id < 3
            target = LinkTarget(
                id=target_id,
                name=f"t{target_id}",
                is_visible=is_seen or target_id == 3,
                is_active=is_seen or target_id == 4,
            )
        made.append(Link(name=draw(NAMES), target_id=target_id, target=target))
    return made


def definition(type_name: str) -> Definition:
    return Definition(
        id=1,
        entity_id=1,
        name="refs",
        type=TYPES[type_name],
        is_mandatory=False,
        index=0,
        default_value=None,
        choices=(),
        level=Level.FULL,
        is_open=True,
    )


@given(stored=links(), sent=st.lists(st.tuples(NAMES, st.sampled_from([None, 1, 2])), max_size=5))
def test_the_sender_sees_what_was_sent_and_the_rest_is_kept(
    stored: list[Link], sent: list[tuple[str, int | None]]
) -> None:
    attr = definition("array_named_object")
    before = Value(tuple(stored))
    back = as_json(attr, before, is_limited=True)
    assert read_replacement(attr, back, before) == before
    raw = [{"name": name, "object": target} for name, target in sent if name or target]
    after = read_replacement(attr, raw, before)
    unseen = sorted(link.target_id for link in stored if link.target_id in (3, 4))
    assert sorted(link.target_id for link in after.links if link.target_id in (3, 4)) == unseen
    for_sender = [
        (link.name, None if link.target_id in (3, 4) else link.target_id)
        for link in after.links
        if link.name or link.target_id in (1, 2)
    ]
    assert for_sender == [(item["name"], item["object"]) for item in raw]


def test_values_that_later_rules_refuse_stay_valid_where_they_are_unchanged(
    user: User, open_entity: Entity, network: Entity
) -> None:
    target = services.create_entry(None, open_entity, name="o")
    entity = Entity.objects.create_entity(
        user=None,
        name="Thing",
        default_permission=Level.FULL,
        attrs=[
            {"name": "kind", "type": "select", "choices": ["a", "b"]},
            {"name": "kinds", "type": "array_select", "choices": ["a", "b"]},
            {"name": "to", "type": "array_object"},
            {"name": "needed", "type": "string"},
        ],
    )
    thing = services.create_entry(
        None, entity, name="t", attrs={"kind": "b", "kinds": ["b", "a"], "to": [target]}
    )
    ids = {attr.name: attr.pk for attr in entity.attrs.all()}
    entities.update_entity(
        entity,
        user,
        attrs=[
            {"id": ids["kind"], "choices": ["a"]},
            {"id": ids["kinds"], "choices": ["a"]},
            {"id": ids["to"], "referral": [network]},
            {"id": ids["needed"], "is_mandatory": True},
        ],
    )
    items = attrinfo_for([thing], user)[thing.pk]
    services.update_entry(thing, user, attrs=items)
    assert AttributeValue.objects.filter(parent_entry=thing).count() == 3
    services.update_entry(thing, user, attrs={"kinds": ["a", "b"], "kind": "b"})
    assert thing.get_attrs()["kinds"] == ["a", "b"]
    for wrong in ({"kind": "c"}, {"kinds": ["b", "c"]}):
        with pytest.raises(AttributeTypeError, match="is not one of its choices"):
            services.update_entry(thing, user, attrs=wrong)

"""Groups within groups: what they give, and what they may not be."""

from __future__ import annotations

from itertools import pairwise

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError

from pagoda.audit.models import AuditEvent
from pagoda.domain.access import readable
from pagoda.domain.entity.models import Entity
from pagoda.domain.user.models import GroupNesting, Level, Role, RolePermission, User
from pagoda.domain.user.permissions import may_add_entities

pytestmark = pytest.mark.django_db


def nest(*names: str) -> list[Group]:
    """Make groups, each nested in the next."""
    groups = [Group.objects.create(name=name) for name in names]
    for group, parent in pairwise(groups):
        GroupNesting.objects.create(group=group, parent=parent)
    return groups


@pytest.fixture
def shut() -> Entity:
    return Entity.objects.create(name="Shut", default_permission=Level.NOTHING)


@pytest.mark.parametrize(("member_of", "level"), [(0, 4), (1, 4), (2, 4), (3, 1)])
def test_a_role_of_a_group_holds_for_the_groups_nested_in_it(
    shut: Entity, member_of: int, level: int
) -> None:
    user, role = User.objects.create_user("ann"), Role.objects.create(name="r", can_add_entities=True)
    groups = nest("team", "department", "company", "world")
    RolePermission.objects.create(role=role, entity=shut, level=Level.WRITABLE)
    role.groups.add(groups[2])
    user.groups.add(groups[member_of])
    assert max(each for each in Level if shut.may_permitted(user, each)) == level
    assert readable(Entity.objects.all(), user, Level.WRITABLE).exists() is (level == Level.WRITABLE)
    assert may_add_entities(user) is (level == Level.WRITABLE)
    Role.objects.update(is_active=False)
    assert not shut.may_permitted(user, Level.READABLE)


def test_django_s_permissions_hold_for_nested_groups_too(shut: Entity) -> None:
    user = User.objects.create_user("ann")
    team, department, other = nest("team", "department", "other")
    department.permissions.add(Permission.objects.get(codename="add_role"))
    other.permissions.add(Permission.objects.get(codename="add_entity"))
    user.groups.add(team)
    assert user.has_perms(["user.add_role", "entity.add_entity"])
    assert not user.has_perm("user.delete_role")
    assert may_add_entities(user)
    GroupNesting.objects.get(group=department).delete()
    user = User.objects.get()
    assert (user.has_perm("user.add_role"), user.has_perm("entity.add_entity")) == (True, False)
    User.objects.update(is_active=False)
    assert not User.objects.get().has_perm("user.add_role")


def test_a_circle_is_refused_whatever_its_length() -> None:
    team, _, company = nest("team", "department", "company")
    for group, parent, why in ((team, team, "itself"), (company, team, "nested in it")):
        with pytest.raises(ValidationError) as caught:
            GroupNesting.objects.create(group=group, parent=parent)
        fault = f"Group {group.name!r} can't be nested in {parent.name!r}, which is {why}."
        assert caught.value.message_dict == {"parent": [f"{fault} Choose another parent."]}
    moved = GroupNesting.objects.get(group=team)
    moved.parent = company
    moved.save()
    GroupNesting.objects.create(group=company, parent=Group.objects.create(name="world"))
    assert GroupNesting.objects.count() == 3


def test_a_group_outlives_its_parent() -> None:
    team, department = nest("team", "department")
    parent = str(department.pk)
    department.delete()
    assert list(Group.objects.all()) == [team]
    assert not GroupNesting.objects.exists()
    told = AuditEvent.objects.filter(action="group.rights_changed").values_list("subject_id", "details")
    assert list(told) == [(str(team.pk), {"field": "parent", "ids": [parent]})] * 2

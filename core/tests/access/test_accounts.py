"""Who may change users, groups, roles and tokens: decided behind plain saves, by whatever way they come."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied
from django.db import transaction

from pagoda.domain.access.accounts import visible
from pagoda.domain.acting import acting_as
from pagoda.domain.entity.models import Entity
from pagoda.domain.user.models import ApiToken, GroupNesting, Level, Role, RolePermission, User
from tools.kept_rows import made_once

pytestmark = pytest.mark.django_db

ALL = ("user", "group", "role", "apitoken")


def let(user: User, *codenames: str) -> User:
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return User.objects.get(pk=user.pk)


@pytest.fixture
def manager() -> User:
    return made_once(make_manager)


def make_manager() -> User:
    """Who manages everything, and has no level on anything."""
    names = [f"{verb}_{model}" for verb in ("add", "change", "delete", "view") for model in ALL]
    return let(User.objects.create_user("mary"), *names)


@pytest.fixture
def bob() -> User:
    user: User = User.objects.create_user("bob", password="correct horse")
    ApiToken.issue(user, "laptop", None)
    return user


@pytest.fixture
def shut() -> Entity:
    return Entity.objects.create(name="Shut", default_permission=Level.NOTHING)


@pytest.fixture
def strong(shut: Entity) -> Role:
    """A role that gives what the manager has not."""
    role = Role.objects.create(name="strong")
    RolePermission.objects.create(role=role, entity=shut, level=Level.READABLE)
    return role


def change(row: Any, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(row, name, value)
    row.save()


def assert_refused(write: Callable[[], object], *words: str) -> None:
    with pytest.raises(PermissionDenied) as caught, transaction.atomic():
        write()
    assert [word for word in words if word not in str(caught.value)] == []


def writes(bob: User) -> dict[str, Callable[[], object]]:
    group, role, token = Group.objects.create(name="g"), Role.objects.create(name="r"), bob.api_tokens.get()
    parent, top = Group.objects.create(name="p"), Group.objects.create(name="top")
    nesting = GroupNesting.objects.create(group=group, parent=parent)
    permission = Permission.objects.get(codename="add_role")
    return {
        "user.add_user": lambda: User.objects.create(username="new"),
        "user.change_user": lambda: change(bob, first_name="B"),
        "user.change_user ": lambda: User.objects.update(first_name="B"),
        "user.change_user  ": lambda: bob.groups.add(group),
        "user.change_user   ": lambda: bob.roles.add(role),
        "user.change_user    ": lambda: bob.user_permissions.add(permission),
        "user.change_user     ": lambda: User.objects.bulk_update([bob], ["is_active"]),
        "user.delete_user": bob.delete,
        "user.delete_user ": lambda: User.objects.filter(pk=bob.pk).delete(),
        "auth.add_group": lambda: Group.objects.create(name="new"),
        "auth.change_group": lambda: change(group, name="G"),
        "auth.change_group ": lambda: group.user_set.add(bob),
        "auth.change_group  ": lambda: group.permissions.add(permission),
        "auth.change_group   ": lambda: GroupNesting.objects.create(group=parent, parent=top),
        "auth.delete_group": group.delete,
        "auth.delete_group ": nesting.delete,
        "user.add_role": lambda: Role.objects.create(name="new"),
        "user.change_role": lambda: change(role, note="n"),
        "user.change_role ": lambda: role.users.add(bob),
        "user.change_role  ": lambda: role.users.set([bob]),
        "user.delete_role": role.delete,
        "user.delete_apitoken": token.delete,
    }


def test_who_manages_nothing_writes_nothing(bob: User) -> None:
    other = User.objects.create_user("eve")
    for needed, write in writes(bob).items():
        with acting_as(other):
            assert_refused(write, repr(needed.strip()), "'eve'")
    assert not User.objects.filter(username="new").exists()
    assert ApiToken.objects.count() == 1


def test_who_manages_gives_what_they_have(manager: User, bob: User) -> None:
    skipped = {"user.delete_user", "user.delete_user ", "auth.delete_group"}
    for needed, write in writes(bob).items():
        if needed not in skipped:
            with acting_as(manager):
                write()
    assert User.objects.filter(username="new").exists()
    assert not ApiToken.objects.exists()


def test_where_nobody_acts_the_host_writes(bob: User, strong: Role) -> None:
    strong.users.add(bob)
    change(bob, is_superuser=True)
    assert User.objects.get(username="bob").is_superuser


@pytest.mark.parametrize("field", ["is_superuser", "is_staff"])
def test_superusers_alone_make_superusers(manager: User, bob: User, field: str) -> None:
    with acting_as(manager):
        for row in (bob, manager):
            assert_refused(partial(change, row, **{field: True}), field)
            row.refresh_from_db()
            assert_refused(partial(User.objects.filter(pk=row.pk).update, **{field: True}), field)
        assert_refused(lambda: User.objects.create(username="new", **{field: True}), field)
        assert_refused(lambda: User.objects.create_superuser("new"), "is_superuser")
    with acting_as(User.objects.create_superuser("root")):
        change(bob, **{field: True})
    assert User.objects.filter(**{field: True}).count() == 2


def test_the_account_of_a_superuser_is_left_alone(manager: User) -> None:
    root = User.objects.create_superuser("root", password="correct horse")
    token, _ = ApiToken.issue(root, "t", None)
    with acting_as(manager):
        for write in (
            *(lambda: change(root, first_name="R"), lambda: change(root, is_active=False)),
            *(root.delete, token.delete, lambda: User.objects.update(is_active=False)),
            *(lambda: change(root, password="x"), lambda: change(root, is_superuser=False)),
        ):
            root.refresh_from_db()
            assert_refused(write, "'root'", "superuser")
    root.refresh_from_db()
    assert root.is_active
    assert root.check_password("correct horse")


def test_nobody_gives_a_role_of_more_than_they_have(
    manager: User, bob: User, shut: Entity, strong: Role
) -> None:
    group, inner = Group.objects.create(name="g"), Group.objects.create(name="inner")
    outer = Group.objects.create(name="outer")
    strong.groups.add(group)
    GroupNesting.objects.create(group=inner, parent=group)
    idle = Role.objects.create(name="idle", is_active=False)
    RolePermission.objects.create(role=idle, entity=shut, level=Level.FULL)
    adds = Role.objects.create(name="adds", can_add_entities=True)
    for user in (manager, bob):
        for write in (
            *(
                partial(strong.users.add, user),
                partial(user.roles.add, strong),
                partial(user.groups.add, inner),
            ),
            *(
                partial(inner.user_set.add, user),
                partial(idle.users.add, user),
                partial(adds.users.add, user),
            ),
            *(lambda: strong.groups.add(outer), lambda: outer.roles.set([strong])),
            *(
                lambda: GroupNesting.objects.create(group=outer, parent=inner),
                lambda: change(idle, is_active=True),
            ),
            *(lambda: Role.objects.create(name="n", can_add_entities=True),),
        ):
            with acting_as(manager):
                assert_refused(write, "nobody gives more than they have", "'mary'")
    RolePermission.objects.create(role=Role.objects.create(name="own"), entity=shut, level=Level.READABLE)
    Role.objects.get(name="own").users.add(manager)
    with acting_as(manager):
        strong.users.add(bob)  # readable is no more than the manager has
        assert_refused(lambda: idle.users.add(bob), "Role 'idle' gives more")
    Role.objects.filter(name="own").delete()
    strong.users.add(manager)
    with acting_as(manager):
        inner.user_set.add(bob)  # a role that one holds can be given on


def test_granting_a_level_takes_full_on_what_it_is_for(manager: User, shut: Entity, strong: Role) -> None:
    own = Role.objects.create(name="own")
    own.users.add(manager)
    entry = shut.entries.create(name="e", default_permission=Level.FULL)
    attr = shut.attrs.create(name="a", type=2, default_permission=Level.FULL)
    targets = ({"entity": shut}, {"entry": entry}, {"attr": attr})
    for level, words in ((None, "may not see"), (Level.WRITABLE, "Full permission on")):
        if level is not None:
            RolePermission.objects.create(role=own, entity=shut, level=level)
        for target in targets:
            with acting_as(manager):
                assert_refused(partial(RolePermission.objects.create, role=own, level=2, **target), words)
    granted = strong.permissions.get()
    with acting_as(manager):
        assert_refused(lambda: change(granted, level=Level.FULL), "Full permission on")
    own.permissions.update(level=Level.FULL)
    with acting_as(manager):
        for target in targets[1:]:
            RolePermission.objects.create(role=strong, level=Level.FULL, **target)
        change(granted, level=Level.FULL)
        granted.delete()


@pytest.mark.parametrize("field", ["password", "username", "email"])
@pytest.mark.parametrize("has", ["role", "permission", "entity", "nothing"])
def test_nobody_becomes_somebody_who_has_more(
    manager: User, bob: User, strong: Role, shut: Entity, field: str, has: str
) -> None:
    match has:
        case "role":
            bob.groups.add(Group.objects.create(name="g"))
            strong.groups.add(bob.groups.get())
        case "permission":
            let(bob, "add_entity")
        case "entity":
            Entity.objects.update(owner=bob)
    with acting_as(manager):
        change(bob, first_name="Bobby")
        if has == "nothing":
            change(bob, **{field: "else"})
        else:
            assert_refused(lambda: change(bob, **{field: "else"}), "nobody gives more than they have")


def test_one_s_own_password_alone_is_one_s_own(bob: User) -> None:
    with acting_as(bob):
        bob.set_password("staple of a new one")
        bob.save()
        assert not bob.api_tokens.exists()
        for fields in ({"is_staff": True}, {"email": "b@example.org"}, {"is_active": False}):
            bob.refresh_from_db()
            assert_refused(partial(change, bob, **fields), "user.change_user")
        bob.refresh_from_db()
        bob.last_login = None
        bob.save()


def test_tokens_are_made_by_their_owner(manager: User, bob: User) -> None:
    with acting_as(manager):
        ApiToken.issue(manager, "own", None)
        assert_refused(lambda: ApiToken.issue(bob, "foreign", None), "owner")
    with acting_as(bob):
        bob.api_tokens.get().delete()


def test_rows_that_go_along_are_not_asked_for(manager: User, bob: User, strong: Role) -> None:
    with acting_as(manager):
        strong.delete()
        bob.delete()
    assert not RolePermission.objects.exists()
    assert not ApiToken.objects.exists()


def test_one_sees_oneself_unless_one_manages(manager: User, bob: User, strong: Role, shut: Entity) -> None:
    group, parent = Group.objects.create(name="g"), Group.objects.create(name="p")
    other = Group.objects.create(name="other")
    GroupNesting.objects.create(group=group, parent=parent)
    bob.groups.add(group)
    strong.groups.add(parent)
    ApiToken.issue(manager, "t", None)
    Role.objects.create(name="foreign")
    RolePermission.objects.create(
        role=strong, entity=Entity.objects.create(name="X", default_permission=1), level=1
    )
    seen = {model: set(visible(model.objects.all(), bob)) for model in (User, Group, Role, ApiToken)}
    assert seen == {User: {bob}, Group: {group, parent}, Role: {strong}, ApiToken: set(bob.api_tokens.all())}
    assert [each.entity for each in visible(RolePermission.objects.all(), bob)] == [shut]
    assert {model: visible(model.objects.all(), manager).count() for model in seen} == {
        User: 2,
        Group: 3,
        Role: 2,
        ApiToken: 2,
    }
    assert not visible(RolePermission.objects.all(), manager).exists()
    assert not visible(User.objects.all(), None).exists()
    assert other not in seen[Group]


def test_what_is_given_is_looked_at_in_few_queries(
    manager: User, bob: User, shut: Entity, django_assert_max_num_queries: Any
) -> None:
    roles = [Role.objects.create(name=f"r{number}") for number in range(50)]
    for number, role in enumerate(roles):
        RolePermission.objects.create(role=role, entity=Entity.objects.create(name=f"E{number}"), level=2)
    with acting_as(manager), django_assert_max_num_queries(10):
        bob.roles.add(*roles)
    assert bob.roles.count() == 50

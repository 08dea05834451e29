"""Users, roles, levels and API tokens."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import ApiToken, Level, Role, RolePermission, User

pytestmark = pytest.mark.django_db


def test_a_token_authenticates_its_user_in_one_query(
    user: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    token, plain = ApiToken.issue(user, "laptop", timedelta(hours=1))
    with django_assert_num_queries(1):
        found = ApiToken.authenticate(plain)
        assert found is not None
        assert found.user.username == "alice"
    assert found == token
    assert str(token) == "alice: laptop"


def test_the_plain_text_of_a_token_is_not_stored(user: User) -> None:
    token, plain = ApiToken.issue(user, "laptop", None)
    stored = ApiToken.objects.values().get()
    assert plain not in map(str, stored.values())
    assert len(token.digest) == 64
    assert token.expires_time is None


@pytest.mark.parametrize("plain", ["", "pagoda_", "pagoda_x", "x", "pagoda_\x00\ud800ü", "token"])
def test_an_unknown_token_is_nobodys(user: User, plain: str) -> None:
    ApiToken.issue(user, "laptop", None)
    assert ApiToken.authenticate(plain) is None


def test_an_expired_token_and_an_inactive_user_are_refused(user: User) -> None:
    token, plain = ApiToken.issue(user, "laptop", timedelta(hours=1))
    ApiToken.objects.update(expires_time=timezone.now())
    assert ApiToken.authenticate(plain) is None
    ApiToken.objects.update(expires_time=None)
    assert ApiToken.authenticate(plain) == token
    User.objects.update(is_active=False)
    assert ApiToken.authenticate(plain) is None


@pytest.mark.parametrize(
    ("name", "lifetime", "message"),
    [
        ("", None, "The name is blank (''); give a name of 1 to 200 characters."),
        (
            "laptop",
            timedelta(0),
            "The lifetime of token 'laptop' is 0:00:00; give a positive one, or None for ever.",
        ),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(
    user: User, name: str, lifetime: timedelta | None, message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        ApiToken.issue(user, name, lifetime)
    assert caught.value.messages == [message]
    assert not ApiToken.objects.exists()


def test_levels_are_ordered_and_stable() -> None:
    assert [(level.name, int(level)) for level in Level] == [
        ("NOTHING", 1),
        ("READABLE", 2),
        ("WRITABLE", 4),
        ("FULL", 8),
    ]


def test_a_permission_is_for_one_thing_and_given_once(role: Role, network: Entity) -> None:
    entry = Entry.objects.create(schema=network, name="lan")
    granted = RolePermission.objects.create(role=role, entity=network, level=Level.READABLE)
    assert str(granted) == "admins: readable on Network"
    for targets in ({}, {"entity": network, "entry": entry}, {"entity": network}):
        with pytest.raises(IntegrityError), transaction.atomic():
            RolePermission.objects.create(role=role, level=Level.FULL, **targets)


@pytest.mark.parametrize("way", ["user", "group"])
@pytest.mark.parametrize(
    "case",
    [
        # the entity's default and grant, the entry's default and grant, what comes out for the entry
        (8, None, 8, None, 8),
        (1, None, 8, None, 1),
        (1, 2, 8, None, 2),
        (1, 8, 2, None, 2),
        (1, 8, 2, 4, 4),
        (2, 1, 8, 1, 2),
        (2, None, 1, 8, 2),
        (8, None, 1, None, 1),
    ],
)
def test_a_level_is_the_highest_granted_but_not_above_the_entitys(
    user: User, role: Role, way: str, case: tuple[int, int | None, int, int | None, int]
) -> None:
    entity_default, entity_grant, entry_default, entry_grant, expected = case
    entity = Entity.objects.create(name="Host", default_permission=entity_default)
    entry = Entry.objects.create(schema=entity, name="web", default_permission=entry_default)
    if entity_grant is not None:
        RolePermission.objects.create(role=role, entity=entity, level=entity_grant)
    if entry_grant is not None:
        RolePermission.objects.create(role=role, entry=entry, level=entry_grant)
    if way == "user":
        role.users.add(user)
    else:
        group = Group.objects.create(name="ops")
        role.groups.add(group)
        user.groups.add(group)
    allowed = [level for level in Level if entry.may_permitted(user, level)]
    assert max(allowed) == expected
    assert allowed == [level for level in Level if level <= expected]


def test_grants_of_inactive_roles_and_of_other_roles_do_not_count(user: User, role: Role) -> None:
    role.users.clear()
    entity = Entity.objects.create(name="Host", default_permission=Level.NOTHING)
    other = Role.objects.create(name="others")
    RolePermission.objects.create(role=other, entity=entity, level=Level.FULL)
    RolePermission.objects.create(role=role, entity=entity, level=Level.WRITABLE)
    assert not entity.may_permitted(user, Level.READABLE)
    role.users.add(user)
    assert entity.may_permitted(user, Level.WRITABLE)
    assert not entity.may_permitted(user, Level.FULL)
    Role.objects.filter(pk=role.pk).update(is_active=False)
    assert not entity.may_permitted(user, Level.READABLE)


def test_superusers_may_everything_and_inactive_users_nothing(
    network: Entity, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    network.default_permission = Level.NOTHING
    attr = network.attrs.select_related("parent_entity").get()
    with django_assert_num_queries(0):
        assert network.may_permitted(User(is_superuser=True), Level.FULL)
        assert not attr.may_permitted(User(is_active=False), Level.READABLE)
        assert not network.may_permitted(User(is_superuser=True, is_active=False), Level.READABLE)
        assert not network.may_permitted(AnonymousUser(), Level.READABLE)
        assert not attr.may_permitted(AnonymousUser(), Level.READABLE)


def test_an_attribute_is_limited_by_its_entity(user: User, role: Role, network: Entity) -> None:
    attr = network.attrs.get()
    role.users.add(user)
    RolePermission.objects.create(role=role, attr=attr, level=Level.FULL)
    Entity.objects.update(default_permission=Level.READABLE, owner=None)
    attr.refresh_from_db()
    assert attr.may_permitted(user, Level.READABLE)
    assert not attr.may_permitted(user, Level.WRITABLE)

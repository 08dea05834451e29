"""Which rows a user sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import AnonymousUser
from pytest_django import DjangoAssertNumQueries

from pagoda.domain.access import readable
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level, Role, User
from pagoda.domain.user.permissions import Viewer

if TYPE_CHECKING:
    from core.tests.access.conftest import World


def entries(user: Viewer | None, level: int = Level.READABLE) -> list[str]:
    return [entry.name for entry in readable(Entry.objects.order_by("name"), user, level)]


def entities(user: Viewer | None, level: int = Level.READABLE) -> list[str]:
    return [entity.name for entity in readable(Entity.objects.order_by("name"), user, level)]


def test_the_default_is_for_whoever_is_logged_in(world: World) -> None:
    assert entries(world.user, Level.FULL) == ["lan", "web"]
    assert entities(world.user, Level.FULL) == ["Host", "Network"]
    for viewer in (AnonymousUser(), None):
        assert entries(viewer) == entities(viewer) == []


def test_a_grant_opens_what_the_default_closes(world: World) -> None:
    world.close(world.host, world.lan)
    assert entries(world.user) == []
    assert entities(world.user) == ["Network"]
    world.grant(Level.READABLE, entity=world.host)
    world.grant(Level.WRITABLE, entry=world.lan)
    assert entries(world.user) == ["lan", "web"]
    assert entries(world.user, Level.WRITABLE) == ["lan"]
    assert entities(world.user) == ["Host", "Network"]
    assert entities(world.user, Level.WRITABLE) == ["Network"]
    assert entries(None) == []


def test_an_entry_of_an_entity_that_is_closed_is_invisible(world: World) -> None:
    world.close(world.network)
    world.grant(Level.FULL, entry=world.lan)
    assert entries(world.user) == ["web"]


def test_attributes_are_limited_by_their_entity(world: World) -> None:
    world.close(world.network, world.attr("address"))
    names = [attr.name for attr in readable(EntityAttr.objects.all(), world.user).order_by("name")]
    assert names == ["networks", "uplink"]


def test_superusers_see_all_and_inactive_users_nothing(world: World) -> None:
    world.close(world.host, world.network, world.lan, world.web)
    assert entries(User(pk=99, is_superuser=True), Level.FULL) == ["lan", "web"]
    world.close(world.host, world.network, world.lan, world.web, level=Level.FULL)
    assert entries(User(pk=99, is_active=False)) == []
    assert entries(User(pk=99, is_active=False, is_superuser=True)) == []


def test_several_roles_give_each_row_once_and_the_highest_level(world: World) -> None:
    world.close(world.host)
    for number, level in enumerate([Level.READABLE, Level.FULL, Level.NOTHING]):
        role = Role.objects.create(name=f"role {number}")
        role.users.add(world.user)
        role.permissions.create(entity=world.host, level=level)
    assert entities(world.user, Level.FULL) == ["Host", "Network"]


def test_it_takes_no_further_query(world: World, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    world.close(world.host, world.lan)
    with django_assert_num_queries(1):
        assert entries(world.user) == []
    with django_assert_num_queries(1):
        assert readable(Entry.objects.active(), world.user).filter(name="web").count() == 0


def test_rows_without_permissions_are_refused(world: World) -> None:
    with pytest.raises(TypeError) as caught:
        readable(Role.objects.all(), world.user)
    assert str(caught.value) == (
        "user.Role has no permissions of its own; "
        "it has to be one of entity.Entity, entity.EntityAttr, entry.Entry"
    )
